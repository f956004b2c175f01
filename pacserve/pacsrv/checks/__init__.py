"""The checks of `pacsrv doctor`, by what they look at.  Rules only; `pacserve.pacsrv.gathering` looks at the machine."""
