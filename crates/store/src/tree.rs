//! The tree in memory: which sealed block holds which logical block, as of the last change
//! (FORMAT.md, "Tree"). What is not in memory is fetched through the caller.

use std::collections::HashMap;

use crate::entry::{Entry, FAN_OUT, Node};
use crate::error::Error;
use crate::layout::Block;
use crate::seal::Place;
use crate::slot::LEVELS_MAX;

/// Nodes that are kept in memory (4 MiB) beside those that were changed.
const NODES_MAX: usize = 1024;

/// Reads a node's block and opens it.
pub(crate) type Fetch<'f> = &'f dyn Fn(Place, &Entry) -> Result<Box<Block>, Error>;

/// Seals a changed node; is told its earlier entry.
pub(crate) type Reseal<'f> = &'f mut dyn FnMut(Place, &Node, Option<Entry>) -> Result<Entry, Error>;

struct Cached {
    node: Node,
    changed: bool,
    /// When it was last of use.
    used: u64,
}

/// The tree.
pub(crate) struct Tree {
    level: u8,
    root: Option<Entry>,
    nodes: HashMap<(u8, u64), Cached>,
    clock: u64,
}

/// Logical blocks under a node of `level`.
pub(crate) const fn span(level: u8) -> u64 {
    FAN_OUT.saturating_pow(level as u32 + 1)
}

impl Tree {
    pub(crate) fn new(level: u8, root: Option<Entry>) -> Self {
        Self {
            level,
            root,
            nodes: HashMap::new(),
            clock: 0,
        }
    }

    pub(crate) const fn root(&self) -> (u8, Option<Entry>) {
        (self.level, self.root)
    }

    /// The entry of a logical block.
    pub(crate) fn get(&mut self, block: u64, fetch: Fetch<'_>) -> Result<Option<Entry>, Error> {
        if block >= span(self.level) {
            return Ok(None);
        }
        let node = self.load(0, block / FAN_OUT, fetch)?;
        Ok(node.and_then(|cached| cached.node.child(block % FAN_OUT)))
    }

    /// Sets the entry of a logical block.
    pub(crate) fn set(&mut self, block: u64, entry: &Entry, fetch: Fetch<'_>) -> Result<(), Error> {
        while block >= span(self.level) {
            if self.level == LEVELS_MAX {
                return Err(Error::Inconsistent(
                    "a block beyond what a store can have".into(),
                ));
            }
            self.raise();
        }
        let cached = self.load_or_make(0, block / FAN_OUT, fetch)?;
        cached.node.set(block % FAN_OUT, Some(entry));
        Ok(())
    }

    /// Puts a level on top.
    fn raise(&mut self) {
        let old = (self.level, 0);
        self.level += 1;
        if self.root.is_some() || self.nodes.contains_key(&old) {
            let mut node = Node::empty();
            node.set(0, self.root.as_ref());
            self.keep(self.level, 0, node, true);
        }
        self.root = None;
    }

    fn keep(&mut self, level: u8, index: u64, node: Node, changed: bool) {
        let used = self.clock;
        let cached = Cached {
            node,
            changed,
            used,
        };
        self.nodes.insert((level, index), cached);
    }

    /// The entry of a node, as its parent has it.
    fn entry(&mut self, level: u8, index: u64, fetch: Fetch<'_>) -> Result<Option<Entry>, Error> {
        if level == self.level {
            return Ok(self.root);
        }
        let parent = self.load(level + 1, index / FAN_OUT, fetch)?;
        Ok(parent.and_then(|cached| cached.node.child(index % FAN_OUT)))
    }

    fn load(
        &mut self,
        level: u8,
        index: u64,
        fetch: Fetch<'_>,
    ) -> Result<Option<&mut Cached>, Error> {
        self.clock += 1;
        let now = self.clock;
        if !self.nodes.contains_key(&(level, index)) {
            let Some(entry) = self.entry(level, index, fetch)? else {
                return Ok(None);
            };
            let node = Node::from_bytes(fetch(Place::Node { level, index }, &entry)?);
            self.keep(level, index, node, false);
        }
        let mut cached = self.nodes.get_mut(&(level, index));
        if let Some(cached) = &mut cached {
            cached.used = now;
        }
        Ok(cached)
    }

    /// As [`Self::load`], for a change; a node that is not there is made.
    fn load_or_make(
        &mut self,
        level: u8,
        index: u64,
        fetch: Fetch<'_>,
    ) -> Result<&mut Cached, Error> {
        if self.load(level, index, fetch)?.is_none() {
            self.keep(level, index, Node::empty(), true);
        }
        let cached = self.nodes.get_mut(&(level, index));
        let cached = cached.ok_or_else(|| Error::Inconsistent("a node was lost".into()))?;
        cached.changed = true;
        Ok(cached)
    }

    /// A leaf as it is now, and its entry as of the last commit.
    pub(crate) fn leaf(
        &mut self,
        index: u64,
        fetch: Fetch<'_>,
    ) -> Result<Option<(Node, Option<Entry>)>, Error> {
        if index >= span(self.level) / FAN_OUT {
            // The store is longer than its tree is high while its end was never written.
            return Ok(None);
        }
        let entry = self.entry(0, index, fetch)?;
        let cached = self.load(0, index, fetch)?;
        Ok(cached.map(|cached| (cached.node.clone(), entry)))
    }

    /// The entry of the node above a leaf, where there is one.
    pub(crate) fn above(&mut self, leaf: u64, fetch: Fetch<'_>) -> Result<Option<Entry>, Error> {
        if self.level == 0 {
            return Ok(None);
        }
        self.entry(1, leaf / FAN_OUT, fetch)
    }

    /// Has a leaf sealed anew, although nothing in it changes.
    pub(crate) fn touch(&mut self, index: u64, fetch: Fetch<'_>) -> Result<(), Error> {
        self.load_or_make(0, index, fetch).map(drop)
    }

    /// Unmaps every logical block from `blocks` on; returns the entries of what is no longer needed.
    pub(crate) fn cut(&mut self, blocks: u64, fetch: Fetch<'_>) -> Result<Vec<Entry>, Error> {
        let mut gone = Vec::new();
        self.cut_node(self.level, 0, blocks, fetch, &mut gone)?;
        Ok(gone)
    }

    fn cut_node(
        &mut self,
        level: u8,
        index: u64,
        from: u64,
        fetch: Fetch<'_>,
        gone: &mut Vec<Entry>,
    ) -> Result<(), Error> {
        let Some(cached) = self.load(level, index, fetch)? else {
            return Ok(());
        };
        let below = if level == 0 { 1 } else { span(level - 1) };
        let first = index * FAN_OUT;
        let mut children: Vec<u64> = cached.node.children().map(|(at, _)| first + at).collect();
        if level > 0 {
            // Children that were never sealed are not in the node yet.
            let range = first..first + FAN_OUT;
            let fresh = self
                .nodes
                .keys()
                .filter(|(l, i)| *l == level - 1 && range.contains(i));
            children.extend(fresh.map(|(_, child)| *child));
            children.sort_unstable();
            children.dedup();
        }
        for child in children {
            if (child + 1).saturating_mul(below) <= from {
                continue;
            }
            if level > 0 {
                self.cut_node(level - 1, child, from, fetch, gone)?;
            }
            if child.saturating_mul(below) >= from {
                if level > 0 {
                    self.nodes.remove(&(level - 1, child));
                }
                let cached = self.load_or_make(level, index, fetch)?;
                gone.extend(cached.node.child(child % FAN_OUT));
                cached.node.set(child % FAN_OUT, None);
            }
        }
        Ok(())
    }

    /// True where something is to be sealed.
    pub(crate) fn is_changed(&self) -> bool {
        self.nodes.values().any(|cached| cached.changed)
    }

    /// Seals the changed nodes from the leaves up to the root.
    pub(crate) fn seal(&mut self, fetch: Fetch<'_>, reseal: Reseal<'_>) -> Result<(), Error> {
        for level in 0..=self.level {
            let changed = |(key, cached): (&(u8, u64), &Cached)| {
                (key.0 == level && cached.changed).then_some(key.1)
            };
            let mut indices: Vec<u64> = self.nodes.iter().filter_map(changed).collect();
            indices.sort_unstable();
            for index in indices {
                let before = self.entry(level, index, fetch)?;
                let Some(cached) = self.nodes.get_mut(&(level, index)) else {
                    continue;
                };
                cached.changed = false;
                let entry = reseal(Place::Node { level, index }, &cached.node, before)?;
                if level == self.level {
                    self.root = Some(entry);
                } else {
                    let parent = self.load_or_make(level + 1, index / FAN_OUT, fetch)?;
                    parent.node.set(index % FAN_OUT, Some(&entry));
                }
            }
        }
        Ok(())
    }

    /// Forgets the nodes that were of use longest ago, where there are too many. None may be changed.
    pub(crate) fn shed(&mut self) {
        if self.nodes.len() > NODES_MAX {
            let mut uses: Vec<u64> = self.nodes.values().map(|cached| cached.used).collect();
            let (_, middle, _) = uses.select_nth_unstable(self.nodes.len() - NODES_MAX / 2);
            let middle = *middle;
            self.nodes
                .retain(|_, cached| cached.changed || cached.used >= middle);
        }
    }
}
