//! Filter criteria are parsed and compiled or refused; what was kept in source form means the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pimap_filters::Filter;
use pimap_wire::search::parse_criteria;

fuzz_target!(|input: &[u8]| {
    let [how, source @ ..] = input else { return };
    let charset = (how & 1 == 1).then_some("UTF-8");
    let Ok(criteria) = parse_criteria(source, charset) else { return };
    let Ok(again) = parse_criteria(&criteria.source, charset) else { panic!("its own source is refused") };
    assert_eq!(again.key, criteria.key);
    if let Ok(filter) = Filter::compile(&criteria.key) {
        assert!(!filter.explain().is_empty());
    }
});
