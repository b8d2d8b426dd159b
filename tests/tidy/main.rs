//! The rules of the code that a compiler does not check: who may depend on whom, what pure crates must
//! not touch, how long files and functions may be, which words have one meaning.

mod dependencies;
mod sizes;
mod sources;
mod vocabulary;
