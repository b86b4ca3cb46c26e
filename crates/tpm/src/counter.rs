//! Finds, makes, reads, moves and removes counters.

use std::io::{Read, Write};

use crate::count::Count;
use crate::device::Device;
use crate::error::Error;
use crate::label::{Label, candidates};
use crate::message::{self, Code, Public};

/// How often a counter is made until its first value is as foretold: once to find out what the
/// TPM's counters have come to, and then as long as others move meanwhile.
const ATTEMPTS: usize = 5;

/// What came of moving a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// It made the step.
    Now,
    /// It had made it before.
    Before,
}

/// Where a name's counter is, and where it could be.
struct Places {
    own: Option<(u32, Label, bool)>,
    free: Option<u32>,
}

/// Reads the counter called `name`, and makes it where there is none.
///
/// # Errors
/// Where the TPM fails or refuses, has no room, or has others' indexes in all the places.
pub fn read<T: Read + Write>(device: &mut Device<T>, name: &str) -> Result<Count, Error> {
    let places = places(device, name)?;
    let free = match places.own {
        Some((index, label, true)) if label.first != 0 => {
            let value = value(device, index)?;
            return Ok(Count {
                index,
                first: label.first,
                value,
            });
        }
        // Its making was cut off, so nobody ever knew of it.
        Some((index, ..)) => {
            undefine(device, index)?;
            Some(index)
        }
        None => places.free,
    };
    let nearest = candidates(name).next().unwrap_or_default();
    make(device, name, free.ok_or(Error::Taken(nearest))?)
}

/// Moves the counter called `name` by one, to what `to` says, unless it is there or beyond.
///
/// # Errors
/// As [`read`]; [`Error::Gone`] where there is no such counter, or another, or it is further back.
pub fn advance<T: Read + Write>(
    device: &mut Device<T>,
    name: &str,
    to: Count,
) -> Result<Moved, Error> {
    let own = places(device, name)?.own;
    let (index, label, _) = own.filter(|(.., written)| *written).ok_or(Error::Gone)?;
    let value = value(device, index)?;
    let now = Count {
        index,
        first: label.first,
        value,
    };
    if !now.is_of(to) {
        return Err(Error::Gone);
    }
    if value >= to.value {
        return Ok(Moved::Before);
    }
    if now.next() != to {
        return Err(Error::Gone);
    }
    increment(device, index)?;
    Ok(Moved::Now)
}

/// Removes the counter called `name`. Gives whether there was one.
///
/// # Errors
/// Where the TPM fails or refuses.
pub fn remove<T: Read + Write>(device: &mut Device<T>, name: &str) -> Result<bool, Error> {
    let own = places(device, name)?.own;
    if let Some((index, ..)) = own {
        undefine(device, index)?;
    }
    Ok(own.is_some())
}

fn places<T: Read + Write>(device: &mut Device<T>, name: &str) -> Result<Places, Error> {
    let mut places = Places {
        own: None,
        free: None,
    };
    // All of them where need be: what was before it may have been removed since.
    for index in candidates(name) {
        match public(device, index)? {
            Some(Public::Counter { label, written }) if label.is_of(name) => {
                places.own = Some((index, label, written));
                break;
            }
            Some(_) => {}
            None => places.free = places.free.or(Some(index)),
        }
    }
    Ok(places)
}

/// Makes a counter whose label has the first value that the TPM gives it, which is one more than
/// any of its counters ever had: a label of 0 finds that out.
fn make<T: Read + Write>(device: &mut Device<T>, name: &str, index: u32) -> Result<Count, Error> {
    let mut first = 0;
    for _ in 0..ATTEMPTS {
        define(device, index, &Label::new(name, first))?;
        increment(device, index)?;
        let value = value(device, index)?;
        if value == first {
            return Ok(Count {
                index,
                first,
                value,
            });
        }
        undefine(device, index)?;
        first = value.saturating_add(1);
    }
    Err(Error::Restless)
}

fn public<T: Read + Write>(device: &mut Device<T>, index: u32) -> Result<Option<Public>, Error> {
    let command = message::read_public(index);
    let asked = device.ask("look for a counter", &command, |body| {
        message::public(index, body)
    });
    match asked {
        Err(error) if error.code().is_some_and(Code::is_no_handle) => Ok(None),
        asked => asked.map(Some),
    }
}

fn define<T: Read + Write>(device: &mut Device<T>, index: u32, label: &Label) -> Result<(), Error> {
    let command = message::define(index, label);
    match device.ask("make a counter", &command, |_| Ok(())) {
        Err(error) if error.code() == Some(Code::NV_SPACE) => Err(Error::Full),
        asked => asked,
    }
}

fn undefine<T: Read + Write>(device: &mut Device<T>, index: u32) -> Result<(), Error> {
    device.ask("remove a counter", &message::undefine(index), |_| Ok(()))
}

fn increment<T: Read + Write>(device: &mut Device<T>, index: u32) -> Result<(), Error> {
    device.ask("move a counter", &message::increment(index), |_| Ok(()))
}

fn value<T: Read + Write>(device: &mut Device<T>, index: u32) -> Result<u64, Error> {
    device.ask("read a counter", &message::read(index), message::value)
}
