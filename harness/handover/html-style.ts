/** The style of a finding's page. Colours are told apart by lightness too, and every cell has its letters. */
export const STYLE = `
:root { color-scheme: light dark; --text: #1b1b1f; --back: #fff; --line: #c8c8d0; --ram: #cfe6cf; --device: #cfdcf7;
  --zero: #ececf0; --exclusive: #f3dcb2; --bad: #b3261e; --bad-back: #fbe4e2; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6e6ea; --back: #17171a; --line: #44444c; --ram: #24452b; --device: #263b66; --zero: #2c2c33;
    --exclusive: #57431a; --bad: #ff8a80; --bad-back: #3b1f1d; }
}
body { font: 15px/1.45 system-ui, sans-serif; color: var(--text); background: var(--back); margin: 2em auto;
  max-width: 75em; padding: 0 1em; }
code, pre, .pages, .legend span { font-family: ui-monospace, monospace; font-size: 13px; }
pre { border: 1px solid var(--line); padding: 0.8em; overflow-x: auto; }
table { border-collapse: collapse; }
.fields td, .fields th { border: 1px solid var(--line); padding: 0.2em 0.6em; text-align: left; vertical-align: top;
  white-space: pre-wrap; }
section { overflow-x: auto; margin: 0.4em 0; padding: 0.2em 0.6em; border-left: 3px solid var(--line); }
section.differs { border-color: var(--bad); }
h3 { font-size: 14px; font-weight: normal; margin: 0.2em 0; }
.environment, .result { opacity: 0.75; }
.kernel, p.differs { color: var(--bad); opacity: 1; }
.pages th { font-weight: normal; text-align: right; padding-right: 0.8em; }
.pages td { border: 1px solid var(--line); padding: 0 0.4em; text-align: center; min-width: 1.4em; }
.legend span { border: 1px solid var(--line); padding: 0 0.4em; }
.zero { background: var(--zero); }
.ram { background: var(--ram); }
.device { background: var(--device); }
.exclusive { background: var(--exclusive); }
.writable { font-weight: bold; }
.unmapped { opacity: 0.5; }
.pages td.differs { outline: 2px solid var(--bad); background: var(--bad-back); }
`;
