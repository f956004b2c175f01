"""`make install` and `make uninstall`: which files go where, and how they are taken away again."""
