// What a translation must keep as it is: conversions of printf, names in braces, tags, options.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace octet {

/// A run of a message that is no natural language.
struct Placeholder {
  size_t begin = 0, end = 0;  ///< bytes of the message
  std::string meaning;  ///< equal for placeholders that stand for the same thing; empty: no meaning
};

/// The placeholders of a message in order: printf ("%s", "%1$d", "%-5lu"; "%%" means nothing),
/// Python ("%(name)s", "{name}", "{0:>3}"), Qt ("%1", "%L1"), shell ("$NAME", "${NAME}"), tags
/// ("<b>", "</a>"), entities ("&amp;") and long options ("--all").
std::vector<Placeholder> placeholders(std::string_view text);

/// True when both have the same placeholders, in any order.
bool same_placeholders(std::string_view a, std::string_view b);

/// The message with a space for every placeholder.
std::string without_placeholders(std::string_view text);

}  // namespace octet
