//! The broker as a service on a Unix socket, confined, between a stand-in for the dialer and one for the provider.

use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use casemate_llm::{Broker, config::Config};
use llm_api::{AnswerRequest, Client, Event, Passage};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use secret::Credentials;
use testkit::{
    Folder,
    provider::{KEY, Provider},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

/// Longest request head that the dialer's stand-in reads, in bytes.
const HEAD_BYTES: usize = 4096;

/// What runs beside the broker, on a thread that is not confined.
pub(crate) struct Outside {
    pub(crate) provider: Arc<Provider>,
    pub(crate) address: SocketAddr,
    /// What the dialer's stand-in connects to: the provider, or what stands before it.
    pub(crate) reach: SocketAddr,
    /// The certificate of what stands before it (PEM).
    pub(crate) certificate: String,
    pub(crate) dialer: PathBuf,
    pub(crate) folder: Folder,
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Outside {
    /// Starts both stand-ins. The dialer's permits the provider's port and refuses every other.
    pub(crate) fn start() -> Self {
        Self::start_for(|provider| (provider, String::new()))
    }

    /// As [`Outside::start`], with something before the provider; its address and certificate.
    pub(crate) fn start_for(before: impl FnOnce(SocketAddr) -> (SocketAddr, String)) -> Self {
        let folder = Folder::new();
        let dialer = folder.path().join("dialer.sock");
        let provider = Arc::new(Provider::observed());
        let stop = CancellationToken::new();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (reach, certificate) = before(address);
        let unix = std::os::unix::net::UnixListener::bind(&dialer).unwrap();
        unix.set_nonblocking(true).unwrap();
        let (served, stopped) = (Arc::clone(&provider), stop.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = stopped.cancelled() => {}
                    ended = testkit::provider::serve(listener, served) => { ended.unwrap(); }
                    () = dial_for(UnixListener::from_std(unix).unwrap(), reach) => {}
                }
            });
        });
        Self {
            provider,
            address,
            reach,
            certificate,
            dialer,
            folder,
            stop,
            thread: Some(thread),
        }
    }

    /// The configuration of one provider with this name and model, at the stand-in.
    pub(crate) fn entry(&self, name: &str, model: &str, more: &str) -> String {
        let address = self.address;
        format!(
            "[[provider]]\nname = \"{name}\"\nmodel = \"{model}\"\nbase_url = \"http://{address}/v1\"\nprivate = true\n\
             connect_ms = 1000\nfirst_token_ms = 400\nidle_ms = 400\n{more}\n"
        )
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn dial_for(listener: UnixListener, permitted: SocketAddr) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            // A broker that goes away in the middle is what some tests are about.
            let _ = hand_over(stream, permitted).await;
        });
    }
}

/// One call as `dialer_api` describes it, by hand, so that what is tested is the contract and not one library twice.
async fn hand_over(mut stream: UnixStream, permitted: SocketAddr) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"}") {
        let mut more = [0; HEAD_BYTES];
        let read = stream.read(&mut more).await?;
        head.extend_from_slice(&more[..read]);
        if read == 0 || head.len() > HEAD_BYTES {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    assert!(head.starts_with("POST /v1/dial HTTP/1.1\r\n"), "{head}");
    let asked = format!(
        "{{\"host\":\"{}\",\"port\":{}}}",
        permitted.ip(),
        permitted.port()
    );
    if !head.ends_with(&asked) {
        let body = r#"{"type":"about:blank","title":"Forbidden","status":403,"detail":"dialer.toml does not declare it"}"#;
        let head = format!(
            "HTTP/1.1 403 Forbidden\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        return stream.write_all((head + body).as_bytes()).await;
    }
    let target = TcpStream::connect(permitted)?;
    let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: casemate-descriptor\r\n\r\n";
    stream.write_all(switch.as_bytes()).await?;
    assert_eq!(stream.read_u8().await?, dialer_api::READY_BYTE);
    stream
        .async_io(Interest::WRITABLE, || send_with(&stream, &target))
        .await
}

fn send_with(stream: &UnixStream, target: &TcpStream) -> io::Result<()> {
    let descriptors = [target.as_fd()];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(
        stream,
        &[IoSlice::new(&[dialer_api::CARRIER_BYTE])],
        &mut control,
        SendFlags::empty(),
    )?;
    Ok(())
}

/// Serves the broker with this configuration, confined, and runs the test against it.
pub(crate) fn with_broker<T: Send>(
    outside: &Outside,
    config: &str,
    test: impl AsyncFnOnce(Client) -> T + Send,
) -> T {
    let config: Config = toml::from_str(config).unwrap();
    config.check().unwrap();
    let keys = outside.folder.path().join("keys");
    let _ = std::fs::create_dir(&keys);
    std::fs::write(keys.join("provider.good"), KEY).unwrap();
    std::fs::write(keys.join("provider.wrong"), "standin-key-wrong").unwrap();
    let dialer = dialer_api::Client::new(&outside.dialer);
    testkit::confined(async move |confined| {
        let broker = Broker::new(config, &Credentials::in_directory(&keys), &dialer);
        let folder = Folder::new();
        let (socket, listener) = folder.listen("llm.sock");
        let drain = CancellationToken::new();
        let stop = drain.clone();
        let served =
            tokio::spawn(
                async move { casemate_llm::serve(&confined, listener, broker, drain).await },
            );
        let result = tokio::time::timeout(Duration::from_secs(20), test(Client::new(socket))).await;
        stop.cancel();
        served.abort();
        result.expect("a test ends in time")
    })
}

/// A question to a provider, with one passage that holds the stand-in's answer.
pub(crate) fn question(provider: &str) -> AnswerRequest {
    AnswerRequest {
        bot: "shop".into(),
        provider: provider.into(),
        instructions: "Be brief.".into(),
        language: "en".into(),
        question: "When do I get my refund?".into(),
        passages: vec![Passage {
            document: "returns.md".into(),
            title: "Returns".into(),
            heading: "Refunds".into(),
            text: "Unused items can come back within thirty days. Refunds reach your card in five working days.".into(),
        }],
        turns: Vec::new(),
    }
}

/// All events of an answer.
pub(crate) async fn events(client: &Client, request: &AnswerRequest) -> Vec<Event> {
    let mut stream = client.answer(request).await.unwrap();
    let mut events = Vec::new();
    while let Some(event) = stream.next().await.unwrap() {
        events.push(event);
    }
    events
}

/// The text of all deltas.
pub(crate) fn text(events: &[Event]) -> String {
    let deltas = events.iter().filter_map(|event| match event {
        Event::Delta(text) => Some(text.as_str()),
        _ => None,
    });
    deltas.collect()
}
