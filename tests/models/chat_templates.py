"""Oracle of the chat templates. Usage: chat_templates.py DIR; DIR/tokenizer.json exists.

Writes DIR/FAMILY/tokenizer_config.json with the published template (less its branches for tools, whose
messages octet refuses), and DIR/chats.json: for each family many
conversations and what transformers' apply_chat_template makes of them.
"""
import json
import pathlib
import random
import shutil
import sys

from transformers import AutoTokenizer

RNG = random.Random(5)
CHAT_ML = ("{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nDEFAULT"
           "<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
           "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
LLAMA3 = ("{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + "
          "message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}"
          "{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}"
          "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}")
LLAMA31 = r"""{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not tools_in_user_message is defined %}
    {%- set tools_in_user_message = true %}
{%- endif %}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- This block extracts the system message, so we can slot it into the right place. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}

{#- System message + builtin tools #}
{{- "<|start_header_id|>system<|end_header_id|>\n\n" }}
{%- if builtin_tools is defined or tools is not none %}
    {{- "Environment: ipython\n" }}
{%- endif %}
{%- if builtin_tools is defined %}
    {{- "Tools: " + builtin_tools | reject('equalto', 'code_interpreter') | join(", ") + "\n\n"}}
{%- endif %}
{{- "Cutting Knowledge Date: December 2023\n" }}
{{- "Today Date: " + date_string + "\n\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}

{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}
"""
QWEN25 = r"""{%- if tools %}
    {{- '<|im_start|>system\n' }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\n' + messages[0]['content'] + '<|im_end|>\n' }}
    {%- else %}
        {{- '<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
"""
DEEPSEEK_R1 = (
    "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{% set ns = "
    "namespace(is_first=false, is_tool=false, is_output_first=true, system_prompt=''STATE) %}{%- for message in messages %}"
    "{%- if message['role'] == 'system' %}SYSTEM{%- endif %}{%- endfor %}{{bos_token}}{{ns.system_prompt}}"
    "{%- for message in messages %}{%- if message['role'] == 'user' %}{%- set ns.is_tool = false -%}"
    "{{'<｜User｜>' + message['content']}}{%- endif %}"
    "{%- if message['role'] == 'assistant' and message['content'] is not none %}{%- if ns.is_tool %}"
    "{{'<｜tool▁outputs▁end｜>' + message['content'] + '<｜end▁of▁sentence｜>'}}{%- set ns.is_tool = false -%}{%- else %}"
    "{% set content = message['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}"
    "{% endif %}{{'<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>'}}{%- endif %}{%- endif %}{%- endfor -%}"
    "{% if ns.is_tool %}{{'<｜tool▁outputs▁end｜>'}}{% endif %}{% if add_generation_prompt and not ns.is_tool %}"
    "{{'<｜Assistant｜><think>\\n'}}{% endif %}")
ONE_SYSTEM = "{% set ns.system_prompt = message['content'] %}"
JOINED_SYSTEM = ("{%- if ns.is_first_sp %}{% set ns.system_prompt = ns.system_prompt + message['content'] %}{% set ns.is_first_sp ="
                 " false %}{%- else %}{% set ns.system_prompt = ns.system_prompt + '\\n\\n' + message['content'] %}{%- endif %}")
TEMPLATES = {
    "smollm2": CHAT_ML.replace("DEFAULT", "You are a helpful AI assistant named SmolLM, trained by Hugging Face"),
    "qwen2": CHAT_ML.replace("DEFAULT", "You are a helpful assistant."),
    "qwen25": QWEN25,
    "llama3": LLAMA3,
    "llama31": LLAMA31,
    "deepseek_r1": DEEPSEEK_R1.replace("STATE", "").replace("SYSTEM", ONE_SYSTEM),
    "deepseek_r1_joined": DEEPSEEK_R1.replace("STATE", ", is_first_sp=true").replace("SYSTEM", JOINED_SYSTEM),
}
CONTENTS = ["Hi", "", " ", "  two\n lines \n", "<think>a</think>\nb", "a</think>b</think>", "<|im_end|>", "{{ x }} {% if %}", "naïve \u3000",
            "\x1c\u00a0mid \x1f", "\u2003", "'quotes' \"and\" \\n", "日本語", "<｜User｜>", "\u200bzero\u200b", "\x85", "\r\n\t x"]


def conversation():
    roles = RNG.choices(["system", "user", "assistant"], [1, 3, 3], k=RNG.randint(1, 6))
    if RNG.random() < 0.4:
        roles[0] = "system"
    return [{"role": role, "content": "".join(RNG.choices(CONTENTS, k=RNG.randint(1, 3)))} for role in roles]


def main():
    folder = pathlib.Path(sys.argv[1])
    chats = {}
    for family, template in TEMPLATES.items():
        own = folder / family
        own.mkdir()
        shutil.copy(folder / "tokenizer.json", own)
        (own / "tokenizer_config.json").write_text(json.dumps({
            "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<｜begin▁of▁sentence｜>", "chat_template": template}))
        tokenizer = AutoTokenizer.from_pretrained(own)
        conversations = [conversation() for _ in range(200)]
        chats[family] = [[messages, tokenizer.apply_chat_template(messages, tokenize=False)] for messages in conversations]
    (folder / "chats.json").write_text(json.dumps(chats))


main()
