//! What the cache keeps and what it wipes.
