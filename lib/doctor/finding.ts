/** What both halves of the doctor find where there is no fault. What a fault says, each of them knows. */

export interface Passed {
  readonly status: 'passed';
  readonly found: string;
}

export interface NotChecked {
  readonly status: 'not-checked';
  readonly reason: string;
}

export const passed = (found: string): Passed => ({ status: 'passed', found });
export const notChecked = (reason: string): NotChecked => ({ status: 'not-checked', reason });
