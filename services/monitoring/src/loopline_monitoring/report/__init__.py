"""Pictures: one page of HTML with drawings in it, for a running line and for two files."""
