//! Whether two instances of a bot answer from the same documents.

use std::collections::BTreeMap;

use crate::DocumentName;
use crate::operator::Document;

/// What has to change in one instance so that its documents are those of another. All instances of a bot are to have
/// the same: a visitor does not know which one answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Documents that it lacks, or has with another content, by name.
    pub put: Vec<DocumentName>,
    /// Documents that only it has, by name.
    pub remove: Vec<DocumentName>,
}

impl Difference {
    /// What is different in `copy`.
    #[must_use]
    pub fn of(copy: &[Document], first: &[Document]) -> Self {
        let by_name = |documents: &[Document]| -> BTreeMap<DocumentName, String> {
            documents
                .iter()
                .map(|one| (one.document.clone(), one.digest.clone()))
                .collect()
        };
        let (copy, first) = (by_name(copy), by_name(first));
        let only_in_copy = |name: &&DocumentName| !first.contains_key(*name);
        Self {
            put: first
                .iter()
                .filter(|(name, digest)| copy.get(*name) != Some(*digest))
                .map(|(name, _)| name.clone())
                .collect(),
            remove: copy.keys().filter(only_in_copy).cloned().collect(),
        }
    }

    /// Whether nothing has to change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.put.is_empty() && self.remove.is_empty()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    fn documents(of: &BTreeMap<u8, u8>) -> Vec<Document> {
        of.iter()
            .map(|(name, digest)| Document {
                document: format!("{name}.md").parse().unwrap(),
                title: String::new(),
                chunks: 1,
                bytes: 1,
                added: 0,
                digest: digest.to_string(),
            })
            .collect()
    }

    proptest! {
        #[test]
        fn what_is_told_makes_the_copy_the_same(
            copy in prop::collection::btree_map(0_u8..6, 0_u8..3, 0..6), first in prop::collection::btree_map(0_u8..6, 0_u8..3, 0..6),
        ) {
            let (first, copy) = (documents(&first), documents(&copy));
            let difference = Difference::of(&copy, &first);
            prop_assert_eq!(difference.is_empty(), copy == first);
            let mut made: BTreeMap<_, _> = copy.iter().map(|one| (one.document.clone(), one.clone())).collect();
            for name in &difference.remove {
                prop_assert!(made.remove(name).is_some());
            }
            for name in &difference.put {
                let given = first.iter().find(|one| one.document == *name).unwrap();
                let replaced = made.insert(name.clone(), given.clone());
                prop_assert_ne!(replaced.as_ref(), Some(given));
            }
            prop_assert_eq!(made.into_values().collect::<Vec<_>>(), first);
        }
    }
}
