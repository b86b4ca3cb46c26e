//! A bot that says again what it hears on WebSockets: `casemate-echo-bot SOCKET`, where a bot's visitors' socket is.

use std::error::Error;

use tokio::net::UnixListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(path), None) = (arguments.next(), arguments.next()) else {
        return Err(
            "the path of one socket is needed, such as /run/casemate/chat/echo.sock".into(),
        );
    };
    match testkit::echo::serve(UnixListener::bind(path)?).await? {}
}
