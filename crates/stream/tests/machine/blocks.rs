//! Blocks end where Redis's storage nodes end: the same pseudo-random XADD, XDEL and XTRIM `~` were sent to
//! redis-server 7.0.15, which told what each XTRIM removed, the length, and radix-tree-keys.

use super::*;
use rivermark_stream::Query;

/// What redis-server told after one XTRIM: entries removed, length, nodes.
type Told = (i64, u64, u64);

/// `stream-node-max-bytes`, `stream-node-max-entries`, and what was told after every 250th XADD.
const RECORDED: [(u32, u32, [Told; 12]); 5] = [
    (
        4096,
        100,
        [
            (0, 247, 8),
            (69, 424, 13),
            (283, 388, 10),
            (560, 74, 2),
            (226, 90, 3),
            (215, 116, 4),
            (0, 365, 11),
            (416, 195, 6),
            (40, 402, 13),
            (577, 68, 2),
            (125, 189, 6),
            (260, 173, 5),
        ],
    ),
    (
        1000,
        0,
        [
            (136, 110, 14),
            (11, 345, 41),
            (444, 141, 17),
            (275, 107, 16),
            (122, 229, 29),
            (212, 262, 33),
            (449, 62, 8),
            (125, 181, 19),
            (296, 130, 18),
            (56, 320, 37),
            (248, 319, 39),
            (192, 369, 46),
        ],
    ),
    (
        500,
        7,
        [
            (81, 159, 37),
            (314, 93, 25),
            (134, 203, 67),
            (255, 195, 58),
            (257, 185, 55),
            (43, 386, 114),
            (545, 91, 25),
            (152, 186, 56),
            (120, 310, 83),
            (273, 282, 72),
            (293, 231, 64),
            (454, 24, 6),
        ],
    ),
    (
        0,
        50,
        [
            (0, 242, 5),
            (242, 247, 5),
            (296, 197, 4),
            (197, 247, 5),
            (444, 50, 1),
            (50, 243, 5),
            (243, 248, 5),
            (248, 245, 5),
            (395, 99, 2),
            (50, 296, 6),
            (490, 49, 1),
            (0, 296, 6),
        ],
    ),
    (
        4096,
        0,
        [
            (0, 245, 7),
            (70, 419, 12),
            (398, 265, 8),
            (273, 238, 8),
            (128, 359, 11),
            (454, 151, 5),
            (332, 64, 2),
            (0, 305, 9),
            (100, 449, 14),
            (547, 150, 5),
            (111, 282, 8),
            (304, 226, 7),
        ],
    ),
];

/// The generator of the recording.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn value(&mut self) -> Vec<u8> {
        match self.below(4) {
            0 => self.below(100_000).to_string().into_bytes(),
            1 => vec![b'x'; self.below(20) as usize],
            2 => vec![b'y'; self.below(300) as usize],
            _ => format!("-{}", self.below(3000)).into_bytes(),
        }
    }

    fn pairs(&mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let count = self.below(3) + 1;
        (0..count)
            .map(|at| {
                let name = if self.below(5) == 0 {
                    ["f", "name", "12"][self.below(3) as usize].to_owned()
                } else {
                    format!("field{at}")
                };
                (name.into_bytes(), self.value())
            })
            .collect()
    }
}

#[test]
fn blocks_end_where_redis_nodes_end() {
    for (bytes, entries, told) in RECORDED {
        let mut machine = Machine::new(Settings {
            block_entries_max: entries,
            block_bytes_max: bytes,
            ..Settings::default()
        });
        let mut random = Random(u64::from(bytes + entries) + 1);
        let mut ms = 1;
        let mut told = told.iter();
        for step in 0..3000 {
            ms += random.below(3) * random.below(200) + 1;
            let pairs = random.pairs();
            let add = Command::XAdd(XAdd {
                key: key("s"),
                missing_key: MissingKey::Create,
                trim: None,
                id: NewEntryId::Exact(EntryId::new(ms, random.below(5))),
                fields: Fields::from_pairs(pairs.iter().map(|(name, value)| (&name[..], &value[..]))),
            });
            let mut commands = vec![add];
            if random.below(10) == 0 {
                commands.push(Command::XDel(XDel { key: key("s"), ids: vec![id(ms)] }));
            }
            machine.apply(&Batch { stamp: at(1), parts: vec![part(0, 0, 0, &commands)] });
            if step % 250 != 249 {
                continue;
            }
            let trim = Trim {
                keep: TrimKeep::MaxLength(random.below(400) + 20),
                precision: TrimPrecision::Blocks { limit: Some(0) },
                references: References::Keep,
            };
            let applied = apply(&mut machine, 1, &[Command::XTrim(XTrim { key: key("s"), trim })]);
            let Outcome::StreamInfo(info) = machine.query(at(1), &Query::XInfoStream(key("s"))) else {
                panic!("no info")
            };
            let (removed, length, nodes) = told.next().expect("twelve trims were recorded");
            assert_eq!(outcomes(applied), [Outcome::Integer(*removed)], "{bytes} {entries} at {step}");
            assert_eq!(
                (info.head.length, info.head.blocks),
                (*length, *nodes),
                "{bytes} {entries} at {step}"
            );
        }
    }
}
