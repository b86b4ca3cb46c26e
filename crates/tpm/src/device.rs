//! Speaks to a TPM: one command, one response.

use std::io::{self, Read, Write};
use std::thread::sleep;
use std::time::Duration;

use crate::error::Error;
use crate::message::{self, Code, HEADER_BYTES};

/// How often a command is given to a TPM that is busy.
const TRIES: usize = 20;
/// The pause between two tries. With [`TRIES`] this is 10 s.
const PAUSE: Duration = Duration::from_millis(500);

/// A TPM behind anything that is read and written.
#[derive(Debug)]
pub struct Device<T> {
    transport: T,
    pause: Duration,
}

impl<T: Read + Write> Device<T> {
    /// Takes over `/dev/tpmrm0`, opened to read and write, or what stands in for it.
    pub fn new(transport: T) -> Self {
        Self {
            transport,
            pause: PAUSE,
        }
    }

    /// As [`Self::new`], with another pause before a busy TPM is asked again.
    pub fn with_pause(transport: T, pause: Duration) -> Self {
        Self { transport, pause }
    }

    /// Gives one command of [`message`], and takes of the response that it was done.
    ///
    /// # Errors
    /// Where the TPM fails or refuses.
    pub fn give(&mut self, command: &[u8]) -> Result<(), Error> {
        self.ask("do as it was told", command, |_| Ok(()))
    }

    /// Gives one command and has `take` read the response's own part.
    pub(crate) fn ask<R>(
        &mut self,
        act: &'static str,
        command: &[u8],
        take: impl FnOnce(&[u8]) -> Result<R, message::Malformed>,
    ) -> Result<R, Error> {
        for _ in 1..TRIES {
            let response = self.exchange(command)?;
            match message::response(&response)? {
                Ok(body) => return Ok(take(body)?),
                Err(code) if code.is_passing() => sleep(self.pause),
                Err(code) => return Err(refused(act, code)),
            }
        }
        let response = self.exchange(command)?;
        match message::response(&response)? {
            Ok(body) => Ok(take(body)?),
            Err(code) => Err(refused(act, code)),
        }
    }

    /// The device takes a command in one write and may give its response in pieces.
    fn exchange(&mut self, command: &[u8]) -> io::Result<Vec<u8>> {
        let written = self.transport.write(command)?;
        if written != command.len() {
            return Err(io::Error::new(
                io::ErrorKind::WriteZero,
                "it took part of a command alone",
            ));
        }
        self.transport.flush()?;
        let mut header = [0; HEADER_BYTES];
        self.transport.read_exact(&mut header)?;
        let whole = message::response_length(&header)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let mut response = header.to_vec();
        response.resize(whole, 0);
        self.transport.read_exact(&mut response[HEADER_BYTES..])?;
        Ok(response)
    }
}

fn refused(act: &'static str, code: Code) -> Error {
    Error::Refused { act, code }
}
