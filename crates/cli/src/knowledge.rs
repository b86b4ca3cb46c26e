//! `casemate knowledge`: the documents that a bot answers from.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chat_api::{BotName, DocumentName, MediaType, operator};
use serde::Serialize;

use crate::arguments::KnowledgeCommand;
use crate::places::Places;
use crate::{Error, bots, output};

#[derive(Debug, Serialize)]
struct Added {
    file: PathBuf,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Added(operator::Document),
    Error(String),
}

/// Does what the command says.
pub(crate) async fn run(
    command: &KnowledgeCommand,
    places: &Places,
    json: bool,
) -> Result<ExitCode, Error> {
    match command {
        KnowledgeCommand::Add { bot, files } => return add(bot, files, places, json).await,
        KnowledgeCommand::List { bot } => {
            let documents = client(bot, places)?.list_documents().await;
            let documents = documents.map_err(|error| Error::Bot(bot.clone(), error))?;
            if json {
                output::json(&operator::Documents { documents });
            } else {
                output::say!("{}", text(&documents));
            }
        }
        KnowledgeCommand::Remove { bot, document } => {
            let removed = client(bot, places)?.delete_document(document).await;
            removed.map_err(|error| Error::Bot(bot.clone(), error))?;
            if json {
                output::json(&serde_json::json!({ "bot": bot, "removed": document }));
            } else {
                output::say!("{bot} no longer answers from {document}.");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn client(bot: &BotName, places: &Places) -> Result<operator::Client, Error> {
    bots::find(bot, places)?;
    Ok(operator::Client::new(places.operator_socket(bot)))
}

/// Adds each file by itself, so that one that cannot be read costs no other.
async fn add(
    bot: &BotName,
    files: &[PathBuf],
    places: &Places,
    json: bool,
) -> Result<ExitCode, Error> {
    let client = client(bot, places)?;
    let mut all = Vec::new();
    for file in files {
        let outcome = match add_one(&client, file).await {
            Ok(document) => Outcome::Added(document),
            Err(why) => Outcome::Error(why),
        };
        if !json {
            match &outcome {
                Outcome::Added(document) => output::say!(
                    "{}: added as {} ({} passages)",
                    file.display(),
                    document.document,
                    document.chunks
                ),
                Outcome::Error(why) => output::complain!("{}: not added: {why}", file.display()),
            }
        }
        all.push(Added {
            file: file.clone(),
            outcome,
        });
    }
    let failed = all
        .iter()
        .filter(|added| matches!(added.outcome, Outcome::Error(_)))
        .count();
    match (failed, json) {
        // One document says it all, what failed too.
        (_, true) => {
            output::json(&serde_json::json!({ "bot": bot, "failed": failed, "documents": all }));
            Ok(if failed == 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        (0, false) => Ok(ExitCode::SUCCESS),
        (_, false) => Err(Error::Documents {
            failed,
            all: all.len(),
        }),
    }
}

async fn add_one(client: &operator::Client, file: &Path) -> Result<operator::Document, String> {
    let (name, media_type) = described(file)?;
    let content = std::fs::read(file).map_err(|error| error.to_string())?;
    client
        .put_document(&name, media_type, content)
        .await
        .map_err(|error| output::with_causes(&error))
}

/// The name and type of a document, from its file's name. Pure.
fn described(file: &Path) -> Result<(DocumentName, MediaType), String> {
    let extension = file
        .extension()
        .and_then(|text| text.to_str())
        .unwrap_or_default();
    let media_type = match extension.to_ascii_lowercase().as_str() {
        "md" | "markdown" => MediaType::Markdown,
        "txt" | "text" => MediaType::Text,
        "html" | "htm" | "xhtml" => MediaType::Html,
        "" => return Err("a file without an ending; .md, .txt and .html can be read".into()),
        other => return Err(format!(".{other} cannot be read; .md, .txt and .html can")),
    };
    let name = file
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or("its name is not UTF-8")?;
    let name = name
        .parse::<DocumentName>()
        .map_err(|error| error.to_string())?;
    Ok((name, media_type))
}

fn text(documents: &[operator::Document]) -> String {
    if documents.is_empty() {
        return "No documents yet: `casemate knowledge add BOT FILE…` adds some.".into();
    }
    let rows: Vec<_> = documents
        .iter()
        .map(|one| {
            let passages = one.chunks.to_string();
            vec![
                one.document.to_string(),
                one.title.clone(),
                passages,
                output::bytes(one.bytes),
            ]
        })
        .collect();
    output::table(&["document", "title", "passages", "size"], &rows)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_ending_says_what_a_file_is() {
        assert_eq!(
            described(Path::new("a/b.MD")).unwrap().1,
            MediaType::Markdown
        );
        assert_eq!(described(Path::new("b.htm")).unwrap().1, MediaType::Html);
        assert!(
            described(Path::new("b.pdf"))
                .unwrap_err()
                .contains(".pdf cannot be read")
        );
        assert!(
            described(Path::new("README"))
                .unwrap_err()
                .contains("without an ending")
        );
    }
}
