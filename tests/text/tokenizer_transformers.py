"""Loads DIR with transformers, checks the special tokens and writes a chat: DIR/chat.bin, u32 length + text + i32 ids."""
import struct
import sys

from transformers import AutoTokenizer, PreTrainedTokenizerFast

for kind in (AutoTokenizer, PreTrainedTokenizerFast):
    tokenizer = kind.from_pretrained(sys.argv[1])
    found = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id,
             tokenizer.model_max_length, len(tokenizer), sorted(tokenizer.all_special_ids))
    assert found[:6] == (1, 2, 2, 0, 8192, 49152), found
    text = tokenizer.apply_chat_template([{"role": "user", "content": "Wie heißt du? 1234"}], tokenize=False,
                                         add_generation_prompt=True)
    assert text.startswith("<|im_start|>system\n"), text
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids) == text
    with open(sys.argv[1] + "/chat.bin", "wb") as out:
        data = text.encode()
        out.write(struct.pack("<I", len(data)) + data + struct.pack(f"<{len(ids)}i", *ids))
