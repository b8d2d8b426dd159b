//! A user shown and made again of what was shown is the same user.

use bytes::Bytes;
use proptest::prelude::*;
use rivermark_acl::{Permissions, describe, rules};
use rivermark_cluster::User;
use rivermark_protocol::Request;
use rivermark_protocol::commands::resolve;

const RULES: &[&str] = &[
    "on",
    "off",
    "nopass",
    "resetpass",
    ">a",
    ">b",
    "<a",
    "skip-sanitize-payload",
    "sanitize-payload",
    "reset",
    "~a*",
    "%R~b",
    "%W~b",
    "%RW~c",
    "allkeys",
    "resetkeys",
    "&x",
    "allchannels",
    "resetchannels",
    "+@all",
    "-@all",
    "+@stream",
    "-@write",
    "+@read",
    "-@dangerous",
    "+xadd",
    "-xadd",
    "+config",
    "-config|set",
    "+config|get",
    "+select|1",
    "-select",
    "(+xlen ~k)",
    "(%R~q +@read -xrange)",
    "clearselectors",
    "",
    "nonsense",
];
const REQUESTS: &[&str] = &[
    "XADD a * f v",
    "XADD b * f v",
    "XLEN k",
    "XRANGE q - +",
    "DEL b c",
    "CONFIG GET x",
    "CONFIG SET a b",
    "SELECT 1",
    "SELECT 0",
    "XREAD STREAMS a b 0 0",
    "FLUSHALL",
    "PING",
    "COPY b c",
    "XGROUP CREATE b g $",
];

fn made() -> impl Strategy<Value = User> {
    let words = prop::collection::vec(prop::sample::select(RULES), 0..12);
    words.prop_map(|words| {
        words.into_iter().fold(User::default(), |user, word| {
            // Some words cannot be applied after others: then the user stays as it is.
            rules::apply(&user, &[Bytes::from_static(word.as_bytes())]).unwrap_or(user)
        })
    })
}

proptest! {
    #[test]
    fn a_line_makes_the_same_user(user in made()) {
        let line = describe::line(&user);
        let words: Vec<Bytes> = line.split(|byte| *byte == b' ').map(Bytes::copy_from_slice).collect();
        prop_assert_eq!(rules::apply(&User::default(), &words), Ok(user));
    }

    #[test]
    fn a_further_rule_grants_or_takes_what_it_says(user in made()) {
        let with = |rule: &'static str| {
            rules::apply(&user, &[Bytes::from_static(rule.as_bytes())]).map(|user| Permissions::of(&user))
        };
        let all = with("+@all").expect("always applies");
        let none = rules::apply(&user, &["-@all".into(), "clearselectors".into()]).expect("always applies");
        let none = Permissions::of(&none);
        for line in REQUESTS {
            let request = Request::from_arguments(line.split(' '));
            let spec = resolve(&request).expect("a command");
            let now = Permissions::of(&user).check(spec, &request);
            prop_assert!(now.is_err() || all.check(spec, &request).is_ok(), "{}", line);
            prop_assert!(none.check(spec, &request).is_err(), "{}", line);
        }
    }

    #[test]
    fn arbitrary_words_never_panic(words in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 0..6)) {
        let words: Vec<Bytes> = words.into_iter().map(Bytes::from).collect();
        if let Ok(user) = rules::apply(&User::default(), &words) {
            let _ = describe::line(&user);
            let _ = Permissions::of(&user);
        }
    }
}
