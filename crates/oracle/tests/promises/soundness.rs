//! A correct history has no violation.

use proptest::prelude::*;
use rivermark_oracle::{History, Verdict, check};

use crate::generator::{Generated, generate};
use crate::profile::Profile;

fn is_sound(seed: u64, profile: Profile) -> Result<(), TestCaseError> {
    let Generated { history, observation } = generate(seed, profile);
    let report = check(&history, Some(&observation)).expect("a valid history");
    prop_assert!(report.violations.is_empty(), "{}", report);
    let without_end = check(&history, None).expect("a valid history");
    prop_assert!(without_end.violations.is_empty(), "{}", without_end);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn growing_streams(seed: u64) {
        is_sound(seed, Profile::PLAIN)?;
    }

    #[test]
    fn tail_readers(seed: u64) {
        is_sound(seed, Profile::TAILS)?;
    }

    #[test]
    fn removals(seed: u64) {
        is_sound(seed, Profile::REMOVALS)?;
    }

    #[test]
    fn groups(seed: u64) {
        is_sound(seed, Profile::GROUPS)?;
    }

    #[test]
    fn everything(seed: u64) {
        is_sound(seed, Profile::ALL)?;
    }

    #[test]
    fn a_history_survives_its_file(seed: u64) {
        let history = generate(seed, Profile::ALL).history;
        let mut file = Vec::new();
        history.write(&mut file).expect("memory");
        prop_assert_eq!(History::read(file.as_slice()).expect("just written"), history);
    }
}

#[test]
fn histories_without_removals_are_decided() {
    for seed in 0..50 {
        for profile in [Profile::PLAIN, Profile::TAILS, Profile::GROUPS] {
            let Generated { history, observation } = generate(seed, profile);
            let report = check(&history, Some(&observation)).expect("a valid history");
            assert_eq!(report.verdict, Verdict::Sound, "seed {seed}: {report}");
        }
    }
}
