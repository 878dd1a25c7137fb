import { type FormEvent, useState } from 'react';

export interface ComposerProps {
  readonly label: string;
  readonly action: string;
  readonly disabled: boolean;
  readonly placeholder?: string;
  /** @returns undefined if it worked, else the reason */
  readonly onSubmit: (text: string) => Promise<string | undefined>;
  readonly onInput?: () => void;
}

/** A text field of one line. If the text was not accepted, it stays there, with the reason. */
export function Composer({ label, action, disabled, placeholder, onSubmit, onInput }: ComposerProps) {
  const [text, setText] = useState('');
  const [fault, setFault] = useState<string>();
  const send = async (event: FormEvent) => {
    event.preventDefault();
    const said = text.trim();
    if (said === '') return;
    const refused = await onSubmit(said);
    setFault(refused);
    if (!refused) setText((now) => (now.trim() === said ? '' : now));
  };
  return (
    <form onSubmit={send}>
      {fault && <p role="alert">{fault}</p>}
      <label htmlFor="composer">{label}</label>
      <div className="line">
        <input
          id="composer"
          value={text}
          placeholder={placeholder}
          onChange={(event) => {
            setText(event.target.value);
            onInput?.();
          }}
          autoComplete="off"
        />
        <button type="submit" disabled={disabled}>
          {action}
        </button>
      </div>
    </form>
  );
}
