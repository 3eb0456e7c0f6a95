//! Words that an operator can rely on.

use super::*;
use pimap_types::Date;
use pimap_types::search::Field;

fn check(program: SearchKey, words: &str) {
    assert_eq!(Filter::compile(&program).expect("storable").explain(), words);
}

#[test]
fn a_filter_in_words() {
    use SearchKey::{
        And, Before, Body, DaysBeforeToday, Not, On, Or, SentBefore, SentOn, SentSince, Since, Smaller, Text,
    };
    let date = Date::from_calendar(2003, 6, 1).expect("a day");
    let john = || SearchKey::Field(Field::From, b"John".to_vec());
    // P-IMAP 5.2.3, the first example.
    check(And(vec![Since(date), john()]), "received on 1-Jun-2003 or later and FROM \"John\"");
    check(And(vec![DaysBeforeToday(0)]), "received today or later");
    check(DaysBeforeToday(3), "received at most 3 days ago");
    check(
        And(vec![Not(Box::new(SearchKey::Flag(Flag::Seen))), Or(Box::new(john()), Box::new(Smaller(9)))]),
        "not flagged \\Seen and (FROM \"John\" or smaller than 9 octets)",
    );
    check(
        Or(Box::new(On(date)), Box::new(Not(Box::new(Before(date))))),
        "received on 1-Jun-2003 or not received before 1-Jun-2003",
    );
    check(
        And(vec![SentBefore(date), SentOn(date), SentSince(date), Body(b"b".to_vec()), Text(b"t".to_vec())]),
        "SENTBEFORE 1-Jun-2003 and SENTON 1-Jun-2003 and SENTSINCE 1-Jun-2003 and BODY \"b\" and TEXT \"t\"",
    );
}

#[test]
fn octets_of_a_handset_forge_no_line() {
    let header = SearchKey::Header(b"X-A\"".to_vec(), b"a\r\nINFO all is well \xff".to_vec());
    check(header, "HEADER \"X-A\\\"\" \"a\\r\\nINFO all is well \u{fffd}\"");
    check(SearchKey::Flag(Flag::Keyword("$a\n".into())), "flagged $a\\n");
}
