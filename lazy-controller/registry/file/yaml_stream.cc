#include "lazy-controller/registry/file/yaml_stream.h"

#include <istream>
#include <set>
#include <streambuf>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

namespace lazymesh::registry {
namespace {

constexpr std::size_t kMaxDepth = 64;

// Thrown through yaml-cpp, which offers no other way to end a parse; caught in read_yaml().
struct Stop {};

// A stream over memory that is not ours, without copying it.
class ViewBuffer final : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    auto* begin = const_cast<char*>(text.data());  // only ever read from
    setg(begin, begin, begin + text.size());
  }
};

Mark mark_of(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {static_cast<std::uint32_t>(mark.line + 1), static_cast<std::uint32_t>(mark.column + 1)};
}

class Reader final : public YAML::EventHandler {
 public:
  Reader(PartHandler& handler, Problems& problems) : handler_(handler), problems_(problems) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (done_) stop(mark_of(mark), "a second document; a mesh file is one");
  }
  void OnDocumentEnd() override { done_ = true; }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    // What is not there is where its key is; yaml-cpp tells where something else follows.
    const bool is_value = at_ == At::kValue || (at_ == At::kPart && part_.expects_value());
    scalar(Part::Kind::kNull, is_value ? last_ : mark_of(mark), {});
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    stop(mark_of(mark), "an alias; write out what it stands for");
  }
  void OnAnchor(const YAML::Mark& mark, const std::string&) override {
    stop(mark_of(mark), "an anchor; leave it out, there are no aliases");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    check_tag(tag, mark);
    const bool quoted = tag == "!";
    if (quoted) last_quoted_ = mark;
    scalar(quoted ? Part::Kind::kQuoted : Part::Kind::kPlain, mark_of(mark), value);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    check_tag(tag, mark);
    open(Part::Kind::kList, mark_of(mark));
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    check_tag(tag, mark);
    open(Part::Kind::kMapping, mark_of(mark));
  }
  void OnMapEnd() override { close(); }

  // yaml-cpp takes the end of the file for a closing quote, if the last character is a newline.
  void check_quotes(std::string_view yaml) {
    auto at = static_cast<std::size_t>(last_quoted_.pos);
    if (last_quoted_.is_null() || at >= yaml.size()) return;
    const char quote = yaml[at];
    if (quote != '"' && quote != '\'') return;  // a block scalar
    while (++at < yaml.size()) {
      const bool escaped = quote == '"' ? yaml[at] == '\\' : yaml.substr(at).starts_with("''");
      if (!escaped && yaml[at] == quote) return;
      if (escaped) ++at;
    }
    problems_.add({mark_of(last_quoted_), {}, "text without its closing quote"});
  }

 private:
  enum class At {
    kStart,  // before the root mapping
    kKey,    // before one of its keys
    kValue,  // before what is under that key
    kList,   // between elements of the list under it
    kPart,   // inside what is handed on
    kEnd,
  };

  [[noreturn]] void stop(Mark mark, std::string reason) {
    problems_.add({mark, {}, std::move(reason)});
    throw Stop();
  }

  void check_tag(const std::string& tag, const YAML::Mark& mark) {
    // yaml-cpp gives "!" for scalars in quotes and "?" for everything else without a tag.
    if (tag != "!" && tag != "?" && !tag.empty()) stop(mark_of(mark), "a tag; leave it out");
  }

  void scalar(Part::Kind kind, Mark mark, std::string_view text) {
    switch (at_) {
      case At::kStart:
        stop(mark, kind == Part::Kind::kNull ? "the file is empty" : "the file must be a mapping");
      case At::kKey:
        begin_key(kind, mark, text);
        return;
      case At::kValue:
      case At::kList:
        begin_part();
        break;
      case At::kPart:
      case At::kEnd:
        break;
    }
    if (part_.expects_key() && kind == Part::Kind::kNull) stop(mark, "a key must be text");
    part_.add_scalar(kind, mark, text);
    last_ = mark;
    hand_on_if_complete();
  }

  void open(Part::Kind kind, Mark mark) {
    if (at_ == At::kStart) {
      if (kind != Part::Kind::kMapping) stop(mark, "the file must be a mapping");
      at_ = At::kKey;
      return;
    }
    if (at_ == At::kKey) stop(mark, "a key must be text");
    if (at_ == At::kValue && kind == Part::Kind::kList) {
      at_ = At::kList;
      index_ = 0;
      in_list_ = true;
      return;
    }
    if (at_ != At::kPart) begin_part();
    if (part_.expects_key()) stop(mark, "a key must be text");
    if (part_.depth() >= kMaxDepth) stop(mark, "nested too deeply; the limit is 64 levels");
    part_.open(kind, mark);
  }

  void close() {
    if (at_ == At::kPart) {
      part_.close();
      hand_on_if_complete();
    } else if (at_ == At::kList) {
      in_list_ = false;
      at_ = At::kKey;
    } else {
      at_ = At::kEnd;
    }
  }

  void begin_key(Part::Kind kind, Mark mark, std::string_view text) {
    if (kind == Part::Kind::kNull) stop(mark, "a key must be text");
    key_ = text;
    if (!keys_.insert(key_).second) {
      problems_.add({mark, key_, "is there twice"});
      throw Stop();
    }
    handler_.on_key(key_, mark);
    if (problems_.any()) throw Stop();
    last_ = mark;
    at_ = At::kValue;
  }

  void begin_part() {
    part_.reset(in_list_ ? key_ + "[" + std::to_string(index_) + "]" : key_);
    at_ = At::kPart;
  }

  void hand_on_if_complete() {
    if (!part_.complete()) return;
    if (in_list_) {
      handler_.on_element(key_, index_++, part_);
    } else {
      handler_.on_value(key_, part_);
    }
    if (problems_.any()) throw Stop();
    at_ = in_list_ ? At::kList : At::kKey;
  }

  PartHandler& handler_;
  Problems& problems_;
  At at_ = At::kStart;
  bool done_ = false;
  bool in_list_ = false;
  std::size_t index_ = 0;
  Mark last_;  // of the last scalar
  YAML::Mark last_quoted_ = YAML::Mark::null_mark();
  std::string key_;
  std::set<std::string> keys_;
  Part part_;
};

// The length of the UTF-8 sequence at the front (RFC 3629, 4), or 0 if there is none.
std::size_t sequence_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (first == 0xe0 && byte(1) < 0xa0) return 0;  // longer than needed
  if (first == 0xed && byte(1) > 0x9f) return 0;  // surrogates
  if (first == 0xf0 && byte(1) < 0x90) return 0;  // longer than needed
  if (first == 0xf4 && byte(1) > 0x8f) return 0;  // beyond U+10FFFF
  return size;
}

void check_utf8(std::string_view text, Problems& problems) {
  Mark mark;
  while (!text.empty()) {
    const auto size = sequence_size(text);
    if (size == 0) return problems.add({mark, {}, "a byte that is not UTF-8"});
    if (text.front() == '\n') {
      ++mark.line;
      mark.column = 0;
    }
    mark.column += static_cast<std::uint32_t>(size);  // as yaml-cpp counts
    text.remove_prefix(size);
  }
}

// At the end of the file yaml-cpp has forgotten the column.
Mark mark_of_failure(std::string_view yaml, const YAML::Mark& mark) {
  if (mark.is_null() || static_cast<std::size_t>(mark.pos) < yaml.size()) return mark_of(mark);
  Mark end;
  for (const char c : yaml) {
    ++end.column;
    if (c == '\n') end = {end.line + 1, 1};
  }
  return end;
}

}  // namespace

void read_yaml(std::string_view yaml, PartHandler& handler, Problems& problems) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (yaml.starts_with(kByteOrderMark)) yaml.remove_prefix(kByteOrderMark.size());
  check_utf8(yaml, problems);
  if (problems.any()) return;
  ViewBuffer buffer(yaml);
  std::istream stream(&buffer);
  Reader reader(handler, problems);
  try {
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(reader)) problems.add({{}, {}, "the file is empty"});
    if (!problems.any()) parser.HandleNextDocument(reader);
    reader.check_quotes(yaml);
  } catch (const Stop&) {
    return;
  } catch (const YAML::Exception& e) {
    problems.add({mark_of_failure(yaml, e.mark), {}, e.msg});
  }
}

}  // namespace lazymesh::registry
