"""What breaks in practice: one module for each check.  Rules only; L{pacserve.pacsrv.gathering} looks at the machine."""
