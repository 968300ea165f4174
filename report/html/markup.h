// HTML by construction: text becomes Markup only through text(), which escapes it.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace octet::html {

/// Well-formed HTML. Only this header's functions and literals of our own make it.
struct Markup {
  std::string html;
  Markup& operator+=(const Markup& other);
};
Markup operator+(Markup a, const Markup& b);

/// `text` as characters: printable() first, then & < > " ' as entities. Also right for attributes.
Markup text(std::string_view text);

/// HTML written in this source code.
Markup raw(std::string_view literal);

using Attributes = std::initializer_list<std::pair<std::string_view, std::string_view>>;

/// <name attributes>content</name>; attribute values are escaped, names are our own.
Markup element(std::string_view name, Attributes attributes, const Markup& content);
Markup element(std::string_view name, const Markup& content);
/// Plain text inside.
Markup element(std::string_view name, Attributes attributes, std::string_view content);
Markup element(std::string_view name, std::string_view content);

/// <script type="application/json" id="ID">: `json` with <, >, & as \u escapes, so that nothing in
/// it can end the element. It must hold ASCII alone (dump with ensure_ascii).
Markup data_island(std::string_view id, std::string_view json);

}  // namespace octet::html
