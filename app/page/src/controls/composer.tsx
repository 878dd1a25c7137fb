import { type FormEvent, useState } from 'react';

export interface ComposerProps {
  readonly label: string;
  readonly action: string;
  readonly disabled: boolean;
  readonly placeholder?: string;
  /** @returns undefined when it was taken, else why not */
  readonly onSubmit: (text: string) => Promise<string | undefined>;
  readonly onInput?: () => void;
}

/** One line to write in. What was not taken stays there, with the reason. */
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
      {fault && <p role="alert">{fault}</p>}
    </form>
  );
}
