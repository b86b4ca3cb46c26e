use bytes::{BufMut as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::task::JoinHandle;

use super::*;
use crate::limits::Settings;
use crate::upgrade::frames::{CONTROL_BYTES, Found, Frames, Opcode};

/// The ends of a relay under test.
struct Stand {
    client: DuplexStream,
    bot: DuplexStream,
    stop: CancellationToken,
    task: JoinHandle<Ended>,
}

fn stand(settings: Settings) -> Stand {
    stand_with(settings, 1 << 16)
}

/// With so many bytes of room between the relay and each end.
fn stand_with(settings: Settings, room: usize) -> Stand {
    let ((client, for_client), (bot, for_bot)) = (duplex(room), duplex(room));
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let task = tokio::spawn(async move {
        let rules = Rules::of(&settings);
        relay(for_client, for_bot, &rules, || Ok(()), |_| {}, &stopped).await
    });
    Stand {
        client,
        bot,
        stop,
        task,
    }
}

fn frame(first: u8, mask: bool, payload: &[u8]) -> Vec<u8> {
    let mut frame = BytesMut::new();
    frame.put_u8(first);
    let bit = if mask { 0x80 } else { 0 };
    match payload.len() {
        short @ 0..=125 => frame.put_u8(bit | u8::try_from(short).unwrap()),
        long => {
            frame.put_u8(bit | 127);
            frame.put_u64(long as u64);
        }
    }
    if mask {
        frame.put_slice(&[0; 4]);
    }
    frame.put_slice(payload);
    frame.to_vec()
}

/// The next frame, unmasked.
async fn next(from: &mut DuplexStream, sender: Sender) -> Option<(Opcode, Vec<u8>)> {
    let (mut frames, mut held) = (Frames::of(sender), Vec::new());
    let head = loop {
        match frames.next(&held) {
            Ok(Some((_, Found::Head(head)))) => break head,
            Ok(_) | Err(crate::upgrade::frames::Violation::NothingToContinue) => {
                held.push(from.read_u8().await.ok()?);
            }
            Err(violation) => unreachable!("{violation}"),
        }
    };
    let mask = match sender {
        Sender::Client => held[held.len() - 4..].to_vec(),
        Sender::Server => vec![0; 4],
    };
    let mut payload = vec![0; usize::try_from(head.payload).unwrap()];
    from.read_exact(&mut payload).await.ok()?;
    for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
    Some((head.opcode, payload))
}

/// The code of the frame that closes, which must be the next.
async fn closes(from: &mut DuplexStream, sender: Sender) -> u16 {
    let (opcode, payload) = next(from, sender).await.unwrap();
    assert_eq!(opcode, Opcode::Close);
    assert!(payload.len() as u64 <= CONTROL_BYTES);
    u16::from_be_bytes([payload[0], payload[1]])
}

/// Both are told to close, with these codes; the client answers, and hears the end.
async fn both_close(mut stand: Stand, for_client: u16, for_bot: u16) -> Ended {
    assert_eq!(closes(&mut stand.client, Sender::Server).await, for_client);
    assert_eq!(closes(&mut stand.bot, Sender::Client).await, for_bot);
    let close = frame(0x88, true, &for_client.to_be_bytes());
    let _ = stand.client.write_all(&close).await;
    assert_eq!(stand.client.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(stand.bot.read(&mut [0]).await.unwrap(), 0);
    drop((stand.client, stand.bot));
    stand.task.await.unwrap()
}

#[tokio::test]
async fn what_both_say_passes_and_ends_as_they_end_it() {
    let mut stand = stand(Settings::default());
    let said = [
        frame(0x01, true, b"a"),
        frame(0x89, true, b"p"),
        frame(0x80, true, b"b"),
    ]
    .concat();
    stand.client.write_all(&said).await.unwrap();
    let mut heard = vec![0; said.len()];
    stand.bot.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard, said);
    let answer = [
        frame(0x81, false, &[7; 70_000]),
        frame(0x88, false, &[3, 232]),
    ]
    .concat();
    let length = answer.len();
    let (mut heard, bot) = (vec![0; length], &mut stand.bot);
    let (sent, read) = tokio::join!(bot.write_all(&answer), stand.client.read_exact(&mut heard));
    assert_eq!((sent.unwrap(), read.unwrap()), ((), length));
    stand
        .client
        .write_all(&frame(0x88, true, &[3, 232]))
        .await
        .unwrap();
    assert_eq!(closes(&mut stand.bot, Sender::Client).await, 1000);
    drop(stand.bot);
    assert_eq!(stand.client.read(&mut [0]).await.unwrap(), 0);
    drop(stand.client);
    let ended = stand.task.await.unwrap();
    assert_eq!((ended.cause, ended.lingered), (None, false));
    assert_eq!(ended.bytes, length as u64);
}

#[tokio::test]
async fn what_a_client_must_not_send_closes_both() {
    for bytes in [&[0xc1_u8][..], &[0x81, 0x01, b'a'], &[0x80], &[0x89, 0xff]] {
        let mut stand = stand(Settings::default());
        let whole = frame(0x81, true, b"whole");
        stand
            .client
            .write_all(&[&whole[..], bytes].concat())
            .await
            .unwrap();
        let heard = next(&mut stand.bot, Sender::Client).await.unwrap();
        assert_eq!(heard, (Opcode::Text, b"whole".to_vec()));
        let ended = both_close(stand, 1002, 1002).await;
        assert!(matches!(ended.cause, Some(Cause::Malformed(_))));
    }
}

#[tokio::test]
async fn what_is_too_long_or_too_much_closes_both() {
    let settings = Settings {
        socket_message_bytes: 5,
        socket_messages_per_minute: 1,
        ..Settings::default()
    };
    let mut one = stand(settings.clone());
    let long = [frame(0x01, true, b"123"), frame(0x80, true, b"456")].concat();
    one.client.write_all(&long).await.unwrap();
    assert_eq!(next(&mut one.bot, Sender::Client).await.unwrap().1, b"123");
    assert_eq!(
        both_close(one, 1009, 1009).await.cause,
        Some(Cause::TooLong(5))
    );

    let mut one = stand(settings);
    one.client
        .write_all(&frame(0x81, true, b"a").repeat(2))
        .await
        .unwrap();
    assert_eq!(next(&mut one.bot, Sender::Client).await.unwrap().1, b"a");
    let ended = both_close(one, 1008, 1008).await;
    assert!(matches!(ended.cause, Some(Cause::Limited(Some(_), _))));
}

#[tokio::test]
async fn a_restart_waits_for_the_frame_that_is_on_its_way() {
    let mut stand = stand(Settings::default());
    let answer = frame(0x81, false, b"an answer");
    stand.bot.write_all(&answer[..6]).await.unwrap();
    stand.client.read_exact(&mut [0; 6]).await.unwrap();
    stand.stop.cancel();
    assert_eq!(closes(&mut stand.bot, Sender::Client).await, 1012);
    stand
        .bot
        .write_all(&[&answer[6..], &frame(0x81, false, b"more")].concat())
        .await
        .unwrap();
    let mut rest = vec![0; answer.len() - 6];
    stand.client.read_exact(&mut rest).await.unwrap();
    assert_eq!(rest, answer[6..]);
    assert_eq!(closes(&mut stand.client, Sender::Server).await, 1012);
    // What the client says before it has heard that does not matter any more.
    stand
        .client
        .write_all(&frame(0x81, true, b"late"))
        .await
        .unwrap();
    stand
        .client
        .write_all(&frame(0x88, true, &[3, 244]))
        .await
        .unwrap();
    assert_eq!(stand.client.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(stand.bot.read(&mut [0]).await.unwrap(), 0);
    drop(stand.client);
    let ended = stand.task.await.unwrap();
    assert_eq!((ended.cause, ended.lingered), (Some(Cause::Restart), false));
}

#[tokio::test]
async fn a_bot_that_breaks_off_or_errs_is_not_the_clients_fault() {
    let mut one = stand(Settings::default());
    drop(one.bot);
    assert_eq!(closes(&mut one.client, Sender::Server).await, 1012);
    assert_eq!(one.client.read(&mut [0]).await.unwrap(), 0);
    drop(one.client);
    assert_eq!(one.task.await.unwrap().cause, Some(Cause::BotGone));

    let mut one = stand(Settings::default());
    one.bot
        .write_all(&frame(0x81, true, b"masked"))
        .await
        .unwrap();
    let ended = both_close(one, 1011, 1002).await;
    assert!(matches!(ended.cause, Some(Cause::BotMalformed(_))));
}

#[tokio::test]
async fn a_client_that_goes_away_is_not_waited_for() {
    let mut stand = stand(Settings::default());
    drop(stand.client);
    assert_eq!(stand.bot.read(&mut [0]).await.unwrap(), 0);
    drop(stand.bot);
    assert_eq!(stand.task.await.unwrap().cause, None);
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_asked_and_then_cut_off() {
    let begun = Instant::now();
    let mut stand = stand(Settings::default());
    assert_eq!(
        next(&mut stand.client, Sender::Server).await.unwrap().0,
        Opcode::Ping
    );
    assert_eq!(begun.elapsed().as_secs(), 30);
    stand
        .client
        .write_all(&frame(0x8a, true, b""))
        .await
        .unwrap();
    assert_eq!(
        next(&mut stand.bot, Sender::Client).await.unwrap().0,
        Opcode::Pong
    );
    assert_eq!(
        next(&mut stand.client, Sender::Server).await.unwrap().0,
        Opcode::Ping
    );
    assert_eq!(begun.elapsed().as_secs(), 60);
    assert_eq!(closes(&mut stand.client, Sender::Server).await, 1008);
    assert_eq!(begun.elapsed().as_secs(), 75);
    let ended = stand.task.await.unwrap();
    assert_eq!((ended.cause, ended.lingered), (Some(Cause::Silent), true));
    assert_eq!(begun.elapsed().as_secs(), 80);
}

#[tokio::test(start_paused = true)]
async fn where_nobody_says_anything_it_ends() {
    let begun = Instant::now();
    let mut stand = stand(Settings::default());
    while let Some((opcode, _)) = next(&mut stand.client, Sender::Server).await {
        if opcode == Opcode::Close {
            break;
        }
        stand
            .client
            .write_all(&frame(0x8a, true, b""))
            .await
            .unwrap();
    }
    assert_eq!(begun.elapsed().as_secs(), 3600);
    drop(stand.client);
    drop(stand.bot);
    assert_eq!(stand.task.await.unwrap().cause, Some(Cause::Idle));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_slows_the_bot_and_is_cut_off() {
    let mut stand = stand_with(Settings::default(), 1024);
    let answer = frame(0x82, false, &[0; 100_000]);
    let begun = Instant::now();
    // The bot can't send it all: nothing in between keeps it.
    let written = tokio::select! {
        done = stand.bot.write_all(&answer) => done.is_ok(),
        ended = &mut stand.task => {
            assert_eq!(ended.unwrap().cause, Some(Cause::Stalled));
            false
        }
    };
    assert!(!written);
    assert_eq!(begun.elapsed().as_secs(), 45);
}

#[tokio::test(start_paused = true)]
async fn a_bot_that_is_slow_slows_the_client_and_nobody_is_cut_off() {
    let settings = Settings {
        socket_message_bytes: 1 << 20,
        ..Settings::default()
    };
    let mut stand = stand_with(settings, 1024);
    let message = frame(0x82, true, &[0; 100_000]);
    let bot = &mut stand.bot;
    let slowly = async {
        tokio::time::sleep(Duration::from_secs(600)).await;
        let mut heard = vec![0; message.len()];
        bot.read_exact(&mut heard).await.unwrap();
        heard == message
    };
    let begun = Instant::now();
    let (sent, same) = tokio::join!(stand.client.write_all(&message), slowly);
    assert!(sent.is_ok() && same);
    assert_eq!(begun.elapsed().as_secs(), 600);
    stand.task.abort();
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_the_close_is_waited_for_so_long_and_no_longer() {
    let mut stand = stand(Settings::default());
    stand
        .bot
        .write_all(&frame(0x88, false, &[3, 232]))
        .await
        .unwrap();
    assert_eq!(closes(&mut stand.client, Sender::Server).await, 1000);
    let begun = Instant::now();
    let ended = stand.task.await.unwrap();
    assert_eq!((ended.cause, ended.lingered), (None, true));
    assert_eq!(begun.elapsed().as_secs(), 5);
}
