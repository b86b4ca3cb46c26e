//! What a transaction can do for subjects.

use super::Subject;
use super::record::{Form, Place, SubjectKeys, parse};
use crate::error::Error;
use crate::random;
use crate::table::Table;
use crate::view::View;
use crate::write::{WriteTx, check_sizes};

/// Key of the latest subject in its table.
const HIGHEST: &[u8] = b"highest";

impl WriteTx<'_> {
    /// Makes a subject. Its number is used up even where this write comes to nothing.
    ///
    /// # Errors
    /// Where the key table cannot be written, which leaves the transaction usable;
    /// [`Error::KeysFull`]; else as [`Self::put`].
    pub fn new_subject(&mut self) -> Result<Subject, Error> {
        let subject = self.key_table.next()?;
        self.put(Table::SUBJECTS, HIGHEST, &subject.key())?;
        Ok(subject)
    }

    /// Sets the value of `key`, sealed for `subject`: reads open it as any other until the subject
    /// is erased, and no one afterwards, wherever a copy of it lies.
    ///
    /// The key is not sealed for the subject. It is to tell nothing of the content: an identity, a
    /// time or a number, and no word, name or address; for such see [`Self::put_hidden`].
    ///
    /// # Errors
    /// [`Error::Erased`]; else as [`Self::put`].
    pub fn put_of(
        &mut self,
        subject: Subject,
        table: Table,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), Error> {
        let keys = self.keys_of(subject)?;
        self.put_sealed(&keys, table, key, value)
    }

    /// Sets the value of a key that tells something of the content itself, as in an index. The
    /// table holds the subject's number (eight bytes, big-endian) and a hash of the key that only
    /// the subject's own key can make, so entries are found by [`Self::get_hidden`] alone, and
    /// walking the table shows no keys. Where they are needed, put them into the value.
    ///
    /// # Errors
    /// As [`Self::put_of`].
    pub fn put_hidden(
        &mut self,
        subject: Subject,
        table: Table,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), Error> {
        let keys = self.keys_of(subject)?;
        self.put_sealed(&keys, table, &keys.hide(table.0, key), value)
    }

    /// The value of a key set by [`Self::put_hidden`].
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn get_hidden(
        &mut self,
        subject: Subject,
        table: Table,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, Error> {
        self.key_table
            .find_hidden(subject, table.0, key, |hidden| self.get(table, hidden))
    }

    /// Removes a key set by [`Self::put_hidden`]; returns the value that it had.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn remove_hidden(
        &mut self,
        subject: Subject,
        table: Table,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, Error> {
        self.key_table
            .find_hidden(subject, table.0, key, |hidden| self.remove(table, hidden))
    }

    /// Removes all that was set by [`Self::put_hidden`] for `subject` in this table, which has to
    /// hold nothing else; returns how many entries there were.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn remove_all_hidden(&mut self, subject: Subject, table: Table) -> Result<u64, Error> {
        self.remove_prefix(table, &subject.key())
    }

    /// Whom the value of `key` was stored for; `None` where for no one, or where there is none.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn subject_of(&mut self, table: Table, key: &[u8]) -> Result<Option<Subject>, Error> {
        match self.stored(table, key)? {
            Some(stored) => self.opener(table).subject(&stored),
            None => Ok(None),
        }
    }

    /// Notes that the subject's key is to be destroyed once this commit is durable.
    pub(crate) fn erase(&mut self, subject: Subject) -> Result<(), Error> {
        self.key_table.admit_erasure(subject)?;
        self.put(Table::ERASURES, &subject.key(), b"")?;
        self.erasing.insert(subject);
        Ok(())
    }

    fn keys_of(&self, subject: Subject) -> Result<SubjectKeys, Error> {
        if self.is_erased(subject) {
            return Err(Error::Erased);
        }
        self.key_table.keys(subject.0).ok_or(Error::Erased)
    }

    fn put_sealed(
        &mut self,
        keys: &SubjectKeys,
        table: Table,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), Error> {
        check_sizes(key, value)?;
        let place = Place {
            file: self.key_table.file(),
            table: table.0,
            key,
        };
        let sealed = keys
            .seal(place, random::bytes()?, value)
            .map_err(|_| Error::Inconsistent("a value that cannot be sealed".into()))?;
        self.store(table, key, &sealed)
    }
}

/// The latest subject that the store knows of, read before there are keys.
pub(crate) fn highest(view: &View) -> Result<Option<Subject>, Error> {
    let Some(table) = view.table(Table::SUBJECTS)? else {
        return Ok(None);
    };
    let Some(stored) = table.get(HIGHEST).map_err(Error::engine)? else {
        return Ok(None);
    };
    match parse(stored.value()) {
        Ok(Form::Plain(key)) => Subject::from_key(key).map(Some),
        _ => Err(Error::Inconsistent(
            "the latest subject is malformed".into(),
        )),
    }
}
