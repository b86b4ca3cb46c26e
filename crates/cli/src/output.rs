//! Text for people and JSON for programs.

use std::io::Write as _;

use serde::Serialize;
use serde_json::json;

/// Prints a line, as `println!` does, for [`line`].
macro_rules! say {
    ($($text:tt)*) => { $crate::output::line(&format!($($text)*)) };
}
pub(crate) use say;

/// Prints a line on standard error, as `eprintln!` does, but for the panic where
/// that cannot be written either: there is nowhere left to say so.
macro_rules! complain {
    ($($text:tt)*) => {{
        let _ = ::std::io::Write::write_fmt(
            &mut ::std::io::stderr(),
            format_args!("{}\n", format_args!($($text)*)),
        );
    }};
}
pub(crate) use complain;

/// Prints a line. Where nobody reads it any more the command ends: quietly when a
/// reader such as `head` has gone away, and with the reason when a disk is full.
pub(crate) fn line(text: &str) {
    let written = {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{text}").and_then(|()| out.flush())
    };
    if let Err(error) = written {
        if error.kind() != std::io::ErrorKind::BrokenPipe {
            complain!("casemate: the outcome could not be written: {error}");
        }
        std::process::exit(1);
    }
}

/// Prints one JSON document.
pub(crate) fn json(document: &impl Serialize) {
    match serde_json::to_string_pretty(document) {
        Ok(text) => say!("{text}"),
        Err(error) => complain!("casemate: the outcome could not be written as JSON: {error}"),
    }
}

/// Prints an error with its causes.
pub(crate) fn error(error: &(dyn std::error::Error + 'static), as_json: bool) {
    let text = with_causes(error);
    if as_json {
        json(&json!({ "error": text }));
    }
    complain!("casemate: {text}");
}

/// An error and its causes, each once.
pub(crate) fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        cause = error.source();
    }
    text
}

/// Lays rows out in columns as wide as their widest cell. Pure.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (cell, width) in cells.zip(&widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        line.truncate(line.trim_end().len());
        line
    };
    let mut lines = vec![line(&mut head.iter().copied())];
    lines.extend(
        rows.iter()
            .map(|row| line(&mut row.iter().map(String::as_str))),
    );
    lines.join("\n")
}

/// Bytes as people read them.
pub(crate) fn bytes(count: u64) -> String {
    const KIB: u64 = 1024;
    match count {
        0..KIB => format!("{count} B"),
        KIB..1_048_576 => format!("{} KiB", count / KIB),
        _ => format!(
            "{}.{} MiB",
            count / 1_048_576,
            count % 1_048_576 * 10 / 1_048_576
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            vec!["gate".to_owned(), "up".to_owned()],
            vec!["l".to_owned(), "x".to_owned()],
        ];
        assert_eq!(table(&["name", "is"], &rows), "name  is\ngate  up\nl     x");
    }

    #[test]
    fn bytes_are_short() {
        assert_eq!(bytes(12), "12 B");
        assert_eq!(bytes(4096), "4 KiB");
        assert_eq!(bytes(7_864_320), "7.5 MiB");
    }
}
