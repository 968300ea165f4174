// The tokenizers' name of core's UTF-8 helpers.
#pragma once
#include "core/utf8.h"  // IWYU pragma: export
