"""`pacsrv setup`: what it takes to use pacserve after its installation, and `pacsrv setup --undo`, which takes exactly that back."""
