//! Tries, one at a time, everything that a strategy must not reach, and says in its log what it got.
//!
//! The number of the quote's instrument says what is tried; 0 nothing. Each answer is one line.

use pm_arb_sdk::{Event, Host, Level, Quote, Settings, Strategy, Timestamp, Topics, export};
use std::hash::{BuildHasher, RandomState};
use std::io::Read;
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use wasip2::clocks::monotonic_clock;
use wasip2::sockets::{instance_network, tcp_create_socket, udp_create_socket};
use wasip2::sockets::network::IpAddressFamily;

struct Curious {
    first: Option<Instant>,
}

impl Strategy for Curious {
    const NAME: &'static str = "curious";
    const TOPICS: Topics = Topics::QUOTES;

    fn new(_: &mut Settings) -> Result<Self, String> {
        Ok(Self { first: None })
    }

    fn on_quote(&mut self, _: Timestamp, quote: &Quote, host: &mut dyn Host) {
        let answer = self.attempt(quote.instrument);
        host.log(Level::Info, &answer);
    }

    fn on_event(&mut self, _: Timestamp, _: &Event, _: &mut dyn Host) {}

    fn snapshot(&self) -> Vec<u8> {
        Vec::new()
    }

    fn restore(&mut self, _: &[u8]) -> Result<(), String> {
        Ok(())
    }
}

/// What a try came to, without what differs between toolchains.
fn said<T>(tried: std::io::Result<T>) -> String {
    match tried {
        Ok(_) => "REACHED".to_owned(),
        Err(_) => "refused".to_owned(),
    }
}

impl Curious {
    fn attempt(&mut self, what: u32) -> String {
        match what {
            1 => said(std::fs::read("/etc/passwd")),
            2 => said(std::fs::read("pm-arb.toml")),
            3 => said(std::fs::write("trace", b"here")),
            4 => said(std::fs::read_dir("/")),
            5 => format!("preopens {}", wasip2::filesystem::preopens::get_directories().len()),
            6 => said(TcpStream::connect("127.0.0.1:80")),
            7 => said(TcpListener::bind("127.0.0.1:0")),
            8 => said(UdpSocket::bind("127.0.0.1:0")),
            9 => said(("localhost", 80).to_socket_addrs()),
            10 => format!("environment {}", std::env::vars_os().count()),
            11 => format!("arguments {}", std::env::args_os().count()),
            12 => {
                let mut all = Vec::new();
                let read = std::io::stdin().read_to_end(&mut all);
                format!("input {} {}", all.len(), read.is_ok())
            }
            13 => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                format!("wall {}", now.map_or(0, |now| now.as_nanos()))
            }
            14 => {
                // The first look of a later call is later by what passed in events, not in the world.
                let now = Instant::now();
                let then = *self.first.get_or_insert(now);
                let spun: u64 = (0..200_000_u64).fold(0, |sum, n| sum ^ n.wrapping_mul(sum | 1));
                let within = now.elapsed().as_nanos();
                let kept = std::hint::black_box(spun) & 1;
                format!("monotonic {} {}", (now - then).as_nanos(), within.max(u128::from(kept) * within))
            }
            15 => {
                let hash = RandomState::new().hash_one(1_u8);
                let bytes = wasip2::random::random::get_random_bytes(8);
                let insecure = wasip2::random::insecure::get_insecure_random_u64();
                let seed = wasip2::random::insecure_seed::insecure_seed();
                format!("random {hash:x} {bytes:x?} {insecure:x} {seed:x?}")
            }
            16 => {
                println!("hello");
                eprintln!("hello");
                "printed".to_owned()
            }
            17 => said(std::process::Command::new("sh").spawn()),
            18 => said(std::thread::Builder::new().spawn(|| {})),
            19 => {
                let kind = wasip2::sockets::udp_create_socket::create_udp_socket(IpAddressFamily::Ipv4);
                let _ = (instance_network::instance_network(), udp_create_socket::create_udp_socket);
                format!("udp {}", kind.is_err())
            }
            // From here on: what must end the call.
            20 => {
                std::thread::sleep(Duration::from_millis(1));
                "SLEPT".to_owned()
            }
            21 => std::process::exit(0),
            22 => std::process::abort(),
            23 => {
                monotonic_clock::subscribe_duration(1_000_000).block();
                "WAITED".to_owned()
            }
            24 => {
                // A socket that nobody connects is never ready.
                match tcp_create_socket::create_tcp_socket(IpAddressFamily::Ipv4) {
                    Ok(socket) => {
                        socket.subscribe().block();
                        "WAITED".to_owned()
                    }
                    Err(code) => format!("no socket: {code:?}"),
                }
            }
            25 => {
                wasip2::io::poll::poll(&[]);
                "WAITED".to_owned()
            }
            _ => "nothing".to_owned(),
        }
    }
}

export!(crate::Curious);
