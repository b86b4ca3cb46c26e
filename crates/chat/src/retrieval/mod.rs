//! Finds the passages that may answer a question: BM25 over stemmed words.
//!
//! The index lives in memory alone and is made from the documents in the store. It is never changed in place: adding or
//! removing a document makes the next one, which shares what did not change, so that searching takes no lock.

mod index;
mod stop_words;
mod words;

pub use index::{Analysed, Document, Index, Passage, analyse};
pub use words::Words;
