#include "report/html/markup.h"

#include "report/table.h"

namespace octet::html {

Markup& Markup::operator+=(const Markup& other) {
  html += other.html;
  return *this;
}

Markup operator+(Markup a, const Markup& b) {
  a += b;
  return a;
}

Markup text(std::string_view text) {
  Markup out;
  for (char c : printable(text)) {
    switch (c) {
      case '&':
        out.html += "&amp;";
        break;
      case '<':
        out.html += "&lt;";
        break;
      case '>':
        out.html += "&gt;";
        break;
      case '"':
        out.html += "&quot;";
        break;
      case '\'':
        out.html += "&#39;";
        break;
      default:
        out.html += c;
    }
  }
  return out;
}

Markup raw(std::string_view literal) {
  return {std::string(literal)};
}

Markup element(std::string_view name, Attributes attributes, const Markup& content) {
  Markup out = raw("<");
  out.html += name;
  for (const auto& [key, value] : attributes) {
    out.html += ' ';
    out.html += key;
    out.html += "=\"" + text(value).html + '"';
  }
  out.html += '>' + content.html + "</";
  out.html += name;
  out.html += '>';
  return out;
}

Markup element(std::string_view name, const Markup& content) {
  return element(name, {}, content);
}

Markup element(std::string_view name, Attributes attributes, std::string_view content) {
  return element(name, attributes, text(content));
}

Markup element(std::string_view name, std::string_view content) {
  return element(name, {}, text(content));
}

Markup data_island(std::string_view id, std::string_view json) {
  std::string safe;
  for (char c : json) {
    if (c == '<') {
      safe += "\\u003c";
    } else if (c == '>') {
      safe += "\\u003e";
    } else if (c == '&') {
      safe += "\\u0026";
    } else {
      safe += c;
    }
  }
  return element("script", {{"type", "application/json"}, {"id", id}}, raw(safe));
}

}  // namespace octet::html
