//! Casemate: chat.

fn main() {}
