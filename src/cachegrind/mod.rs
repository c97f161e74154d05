//! Profile files: lexer, names, the compact record form, the call tree. Bytes in, trees out.
