//! `casemate knowledge`: the documents that a bot answers from. Each instance of a bot has its own copy, and a change is
//! made in the first one first: what that refuses, none gets.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chat_api::{BotName, Difference, DocumentName, Instance, MediaType, operator};
use serde::Serialize;

use crate::arguments::KnowledgeCommand;
use crate::places::Places;
use crate::{Error, instances, output};

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
    /// Some instances have it, and others have not.
    Partly(String),
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
        KnowledgeCommand::List { bot } => list(bot, places, json).await?,
        KnowledgeCommand::Remove { bot, document } => {
            remove(bot, document, places).await?;
            if json {
                output::json(&serde_json::json!({ "bot": bot, "removed": document }));
            } else {
                output::say!("{bot} no longer answers from {document}.");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// An instance, and the way to it.
type Reached = (Instance, operator::Client);

/// The instances of a bot, the first one first.
fn reach(bot: &BotName, places: &Places) -> Result<Vec<Reached>, Error> {
    let all = instances::of(bot, places)?;
    let client = |instance: &Instance| operator::Client::new(places.operator_socket(instance));
    Ok(all
        .into_iter()
        .map(|instance| (instance.clone(), client(&instance)))
        .collect())
}

/// An instance whose documents are not those of the first.
#[derive(Debug, Serialize)]
struct Apart {
    instance: Instance,
    /// What it lacks, or has with another content.
    lacks: Vec<DocumentName>,
    /// What only it has.
    has_besides: Vec<DocumentName>,
    /// Why that is not known.
    error: Option<String>,
}

async fn list(bot: &BotName, places: &Places, json: bool) -> Result<(), Error> {
    let all = reach(bot, places)?;
    let mut documents = Vec::new();
    let mut apart = Vec::new();
    for (instance, client) in all {
        let listed = client.list_documents().await;
        if instance.is_first() {
            documents = listed.map_err(|error| Error::Bot(bot.clone(), error))?;
            continue;
        }
        let (difference, error) = match listed {
            Ok(copy) => (Difference::of(&copy, &documents), None),
            Err(error) => (Difference::default(), Some(output::with_causes(&error))),
        };
        if error.is_some() || !difference.is_empty() {
            apart.push(Apart {
                instance,
                lacks: difference.put,
                has_besides: difference.remove,
                error,
            });
        }
    }
    if json {
        output::json(&serde_json::json!({ "documents": documents, "apart": apart }));
    } else {
        output::say!("{}", text(&documents));
        for one in &apart {
            output::say!("\n{}", one.text());
        }
    }
    Ok(())
}

impl Apart {
    /// For people.
    fn text(&self) -> String {
        let instance = &self.instance;
        if let Some(error) = &self.error {
            return format!("What {instance} has is not known: {error}.");
        }
        let names = |names: &[DocumentName]| {
            let names: Vec<_> = names.iter().map(DocumentName::as_str).collect();
            names.join(", ")
        };
        let mut said = Vec::new();
        if !self.lacks.is_empty() {
            said.push(format!("lacks, or has otherwise: {}", names(&self.lacks)));
        }
        if !self.has_besides.is_empty() {
            said.push(format!("has besides: {}", names(&self.has_besides)));
        }
        format!(
            "{instance} {}. Repeat the command that failed, or `systemctl start casemate-fill@{instance}`, which copies \
             the documents of the first instance.",
            said.join("; and ")
        )
    }
}

/// Removes a document from all instances. Where some had it no more, that is as good.
async fn remove(bot: &BotName, document: &DocumentName, places: &Places) -> Result<(), Error> {
    let mut tally = Tally::default();
    let mut absent = None;
    for (instance, client) in reach(bot, places)? {
        match client.delete_document(document).await {
            Ok(()) => tally.done.push(instance),
            Err(error) if error.is_not_found() => absent = Some(error),
            Err(error) if instance.is_first() => return Err(Error::Bot(bot.clone(), error)),
            Err(error) => tally.failed.push((instance, output::with_causes(&error))),
        }
    }
    match (tally.done.is_empty(), tally.failed.is_empty(), absent) {
        (true, true, Some(error)) => Err(Error::Bot(bot.clone(), error)),
        _ => tally.end(&format!("{document} is removed from")),
    }
}

/// Which instances have done something, and which have not.
#[derive(Debug, Default)]
struct Tally {
    done: Vec<Instance>,
    failed: Vec<(Instance, String)>,
}

impl Tally {
    /// Whether all have.
    fn end(mut self, what: &str) -> Result<(), Error> {
        if self.failed.is_empty() {
            return Ok(());
        }
        let (failed, why) = self.failed.swap_remove(0);
        let mut done: Vec<String> = self.done.iter().map(Instance::to_string).collect();
        if done.is_empty() {
            done.push("no other instance".to_owned());
        }
        let mut done = format!("{what} {}", done.join(", "));
        for (instance, why) in self.failed {
            done.push_str(&format!(", {instance} has not done it ({why})"));
        }
        Err(Error::Partly { done, failed, why })
    }
}

/// Adds each file by itself, so that one that cannot be read costs no other.
async fn add(
    bot: &BotName,
    files: &[PathBuf],
    places: &Places,
    json: bool,
) -> Result<ExitCode, Error> {
    let instances = reach(bot, places)?;
    let mut all = Vec::new();
    for file in files {
        let outcome = add_one(&instances, file)
            .await
            .unwrap_or_else(Outcome::Error);
        if !json {
            match &outcome {
                Outcome::Added(document) => output::say!(
                    "{}: added as {} ({} passages)",
                    file.display(),
                    document.document,
                    document.chunks
                ),
                Outcome::Partly(why) => output::complain!("{}: {why}", file.display()),
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
        .filter(|added| !matches!(added.outcome, Outcome::Added(_)))
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

/// Adds one file to all instances.
async fn add_one(instances: &[Reached], file: &Path) -> Result<Outcome, String> {
    let (name, media_type) = described(file)?;
    let content = bytes::Bytes::from(std::fs::read(file).map_err(|error| error.to_string())?);
    let mut tally = Tally::default();
    let mut added = None;
    for (instance, client) in instances {
        let put = client.put_document(&name, media_type, content.clone());
        match put.await {
            Ok(document) => {
                added = added.or(Some(document));
                tally.done.push(instance.clone());
            }
            // None of the others is asked: what is wrong with the document would be wrong with it there too.
            Err(error) if instance.is_first() => return Err(output::with_causes(&error)),
            Err(error) => {
                let why = output::with_causes(&error);
                tally.failed.push((instance.clone(), why));
            }
        }
    }
    Ok(match (tally.end(&format!("{name} is added to")), added) {
        (Err(error), _) => Outcome::Partly(error.to_string()),
        (Ok(()), Some(document)) => Outcome::Added(document),
        (Ok(()), None) => Outcome::Error("there is no instance to add it to".to_owned()),
    })
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
    fn a_change_that_not_all_made_says_who_did() {
        let [first, second, third] = ["shop", "shop.2", "shop.3"].map(|name| name.parse().unwrap());
        let done = Tally {
            done: vec![first],
            failed: vec![
                (second, "it is full".to_owned()),
                (third, "it is gone".to_owned()),
            ],
        };
        let said = done.end("a.md is added to").unwrap_err().to_string();
        assert!(
            said.starts_with("a.md is added to shop")
                && said.contains("shop.2 has not (it is full)")
                && said.contains("shop.3 has not done it (it is gone)")
                && said.ends_with("repeat the command"),
            "{said}"
        );
        assert!(Tally::default().end("a.md is added to").is_ok());
    }

    #[test]
    fn an_instance_that_is_apart_says_what_mends_it() {
        let apart = Apart {
            instance: "shop.2".parse().unwrap(),
            lacks: vec!["a.md".parse().unwrap()],
            has_besides: vec!["b.md".parse().unwrap()],
            error: None,
        };
        let said = apart.text();
        assert!(
            said.contains("lacks, or has otherwise: a.md; and has besides: b.md")
                && said.contains("casemate-fill@shop.2"),
            "{said}"
        );
    }

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
