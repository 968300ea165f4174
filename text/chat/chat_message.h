// One turn of a conversation.
#pragma once
#include <string>

namespace octet {

struct ChatMessage {
  std::string role;  ///< "system", "user" or "assistant"
  std::string content;
};

}  // namespace octet
