//! A stand-in for an OpenAI-compatible provider: `casemate-provider-standin [--listen ADDRESS:PORT] [--mode MODE]`.

use std::error::Error;
use std::sync::Arc;

use testkit::provider::{Mode, Provider, serve};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut listen = "127.0.0.1:9100".to_owned();
    let provider = Provider::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments
            .next()
            .ok_or_else(|| format!("{argument} needs a value"))?;
        match argument.as_str() {
            "--listen" => listen = value,
            "--mode" => provider.force(Some(value.parse::<Mode>()?)),
            _ => {
                return Err(
                    format!("{argument} is not known; there are --listen and --mode").into(),
                );
            }
        }
    }
    match serve(TcpListener::bind(&listen).await?, Arc::new(provider)).await? {}
}
