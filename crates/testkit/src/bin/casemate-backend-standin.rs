//! A stand-in for what is behind a proxy: `casemate-backend-standin SOCKET`.

use std::error::Error;
use std::path::PathBuf;

use testkit::{backend, edge};

// One thread: it is the same work behind whatever proxy.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let socket = std::env::args_os().nth(1).map(PathBuf::from);
    let socket = socket.ok_or("say where to listen: casemate-backend-standin SOCKET")?;
    edge::raise_descriptors()?;
    match backend::serve(&socket).await? {}
}
