//! `i;unicode-casemap` (RFC 5051), by which RFC 5256 compares texts: each character by its titlecase mapping, then taken apart whole by
//! its decompositions, canonical or not. What comes out is compared octet by octet.

use unicode_normalization::char::decompose_compatible;

/// The text as it is compared.
pub(crate) fn mapped(text: &str) -> String {
    let mut mapped = String::with_capacity(text.len());
    for character in text.chars() {
        decompose_compatible(titlecase(character), |part| mapped.push(part));
    }
    mapped
}

/// The titlecase mapping of UnicodeData.txt, which is one character. What is known here is the uppercase mapping, which is the same
/// but for these.
fn titlecase(character: char) -> char {
    match character {
        'a'..='z' => character.to_ascii_uppercase(),
        '\u{0}'..='\u{7F}' => character,
        // Digraphs have a form between: Dž.
        '\u{1C4}'..='\u{1C6}' => '\u{1C5}',
        '\u{1C7}'..='\u{1C9}' => '\u{1C8}',
        '\u{1CA}'..='\u{1CC}' => '\u{1CB}',
        '\u{1F1}'..='\u{1F3}' => '\u{1F2}',
        // Georgian has capitals, and no titles.
        '\u{10D0}'..='\u{10FF}' => character,
        // With an iota below: one character in capitals, which the full mapping writes as two.
        '\u{1F80}'..='\u{1F87}' | '\u{1F90}'..='\u{1F97}' | '\u{1FA0}'..='\u{1FA7}' => {
            char::from_u32(u32::from(character) + 8).unwrap_or(character)
        }
        '\u{1FB3}' => '\u{1FBC}',
        '\u{1FC3}' => '\u{1FCC}',
        '\u{1FF3}' => '\u{1FFC}',
        _ => {
            let mut upper = character.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(upper), None) => upper,
                _ => character,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::mapped;

    #[test]
    fn letters_are_compared_without_case_and_taken_apart() {
        assert_eq!(mapped("Grüße"), "GRU\u{308}ßE");
        assert_eq!(mapped("ǆ ǅ Ǆ"), "Dz\u{30C} Dz\u{30C} Dz\u{30C}");
        assert_eq!(mapped("ﬁ"), "fi", "what is taken apart is not mapped again (RFC 5051 2.3)");
        assert_eq!(mapped("Ⅻ ⅻ"), "XII XII");
        assert_eq!(mapped("ა"), "ა");
        assert_eq!(mapped("ᾳ"), mapped("ᾼ"));
        assert_eq!(mapped("각"), "\u{1100}\u{1161}\u{11A8}");
        assert_eq!(mapped("πΣσς"), "ΠΣΣΣ");
    }
}
