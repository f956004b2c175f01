"""What breaks in practice: one module for each check.  Rules only; `pacserve.pacsrv.gathering` looks at the machine."""
