"""One function per system call, under its C name; OSError out."""
