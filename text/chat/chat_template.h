// Formats conversations with a checkpoint's chat template. Templates are Jinja programs; octet has
// no Jinja engine but reproduces the templates of a few families byte for byte.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "text/chat/chat_message.h"

namespace octet {

class ChatTemplate {
 public:
  enum class Family {
    kLlama3,
    kLlama31,
    kQwen2,
    kQwen25,
    kSmolLm2,
    kDeepSeekR1,
    kDeepSeekR1Joined
  };

  /// The family whose template `source` (Jinja) is, recognized by the expressions that make up its
  /// output; white space, quotes and comments may differ. `what` names the checkpoint. Error for
  /// any other, naming the known families.
  static ChatTemplate recognise(std::string_view source, const std::string& what);

  /// What transformers' apply_chat_template(messages, tokenize=False) gives, for messages of text
  /// by system, user and assistant; `bos` is the text of the BOS token. Llama 3.1 to 3.3 get the
  /// template's default date, 26 Jul 2024, even where the template would use the current date.
  /// Error naming `where` for other roles and for no message.
  std::string render(std::span<const ChatMessage> messages, std::string_view bos,
                     const std::string& where) const;

  Family family() const { return family_; }

 private:
  explicit ChatTemplate(Family family) : family_(family) {}
  Family family_;
};

}  // namespace octet
