#include "lazy-controller/registry/file/constraints.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/time_util.h>
#include <re2/re2.h>

#include "envoy/annotations/deprecation.pb.h"

#include "lazy-controller/registry/file/field_value.h"
#include "lazy-controller/registry/file/refusals.h"
#include "validate/validate.pb.h"

namespace lazymesh::registry {
namespace {

using google::protobuf::Any;
using google::protobuf::Descriptor;
using google::protobuf::Duration;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::util::TimeUtil;

constexpr std::string_view kCheckedRules[] = {"any.required",
                                              "bool.const",
                                              "bytes.max_len",
                                              "bytes.min_len",
                                              "double.gt",
                                              "double.gte",
                                              "double.lt",
                                              "double.lte",
                                              "duration.gt",
                                              "duration.gte",
                                              "duration.lt",
                                              "duration.lte",
                                              "duration.required",
                                              "enum.defined_only",
                                              "enum.not_in",
                                              "map.keys",
                                              "map.min_pairs",
                                              "map.values",
                                              "message.required",
                                              "message.skip",
                                              "repeated.items",
                                              "repeated.max_items",
                                              "repeated.min_items",
                                              "repeated.unique",
                                              "string.ignore_empty",
                                              "string.in",
                                              "string.max_bytes",
                                              "string.min_len",
                                              "string.pattern",
                                              "string.prefix",
                                              "string.strict",
                                              "string.suffix",
                                              "string.well_known_regex",
                                              "uint32.gt",
                                              "uint32.gte",
                                              "uint32.lt",
                                              "uint32.lte",
                                              "uint64.gt",
                                              "uint64.gte",
                                              "uint64.lt",
                                              "uint64.lte"};

// A field, and where it is written.
struct Place {
  Value value;  // of the message around it, where the field is left out
  const FieldDescriptor& field;
  bool written = true;

  Place at(Value element) const { return {element, field}; }
};

// A value of a field that holds one, or an element (`index`) of one that holds many.
struct Slot {
  const Message& message;
  const FieldDescriptor& field;
  int index = -1;

  template <class Single, class Repeated>
  auto get(Single single, Repeated repeated) const {
    const auto& reflection = *message.GetReflection();
    return index < 0 ? (reflection.*single)(message, &field)
                     : (reflection.*repeated)(message, &field, index);
  }
  const Message& embedded() const {
    const auto& reflection = *message.GetReflection();
    return index < 0 ? reflection.GetMessage(message, &field)
                     : reflection.GetRepeatedMessage(message, &field, index);
  }
};

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

template <class List, class Name>
std::string joined(const List& list, Name name) {
  std::string result;
  for (const auto& each : list) result.append(result.empty() ? "" : ", ").append(name(each));
  return result;
}

std::size_t characters(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(
      utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) >> 6) != 2; }));
}

std::pair<std::int64_t, std::int32_t> comparable(const Duration& duration) {
  return {duration.seconds(), duration.nanos()};
}
template <class Number>
Number comparable(Number number) {
  return number;
}

std::string printed(const Duration& duration) { return TimeUtil::ToString(duration); }
template <class Number>
std::string printed(Number number) {
  std::ostringstream text;
  text << number;
  return text.str();
}

// What is allowed, if `value` is not. Where the upper bound is below the lower one, what is between
// them is not allowed.
template <class Rules, class T>
std::string out_of_range(const Rules& rules, const T& value) {
  const auto at = comparable(value);
  bool low_enough = true;
  bool high_enough = true;
  std::string lower;
  std::string upper;
  auto least = at;
  auto most = at;
  if (rules.has_gte()) {
    least = comparable(rules.gte());
    high_enough = at >= least;
    lower = "at least " + printed(rules.gte());
  } else if (rules.has_gt()) {
    least = comparable(rules.gt());
    high_enough = at > least;
    lower = "above " + printed(rules.gt());
  }
  if (rules.has_lte()) {
    most = comparable(rules.lte());
    low_enough = at <= most;
    upper = "at most " + printed(rules.lte());
  } else if (rules.has_lt()) {
    most = comparable(rules.lt());
    low_enough = at < most;
    upper = "below " + printed(rules.lt());
  }
  const bool outside = !lower.empty() && !upper.empty() && most < least;
  if (outside ? high_enough || low_enough : high_enough && low_enough) return {};
  const auto* between = lower.empty() || upper.empty() ? "" : outside ? " or " : " and ";
  return "must be " + lower + between + upper;
}

// RFC 9110, 5.6.2, and the colon that HTTP/2 puts before its own.
bool is_header_name(std::string_view name) {
  if (name.starts_with(':')) name.remove_prefix(1);
  return !name.empty() && name.find_first_not_of(
                              "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "!#$%&'*+-.^_`|~") == name.npos;
}

std::string unfit_for_header(const std::string& text, const validate::StringRules& rules) {
  const bool strict = !rules.has_strict() || rules.strict();
  if (strict && rules.well_known_regex() == validate::HTTP_HEADER_NAME) {
    return is_header_name(text) ? "" : "is not the name of a header";
  }
  if (text.find_first_of(std::string_view("\0\r\n", 3)) == text.npos) return {};
  return "must have no NUL, CR or LF in it";
}

// What is wrong with a text, if anything.
std::string unfit(const std::string& text, const validate::StringRules& rules) {
  if (rules.ignore_empty() && text.empty()) return {};
  if (characters(text) < rules.min_len()) {
    return rules.min_len() == 1
               ? "must not be empty"
               : "must have at least " + std::to_string(rules.min_len()) + " characters";
  }
  if (rules.has_max_bytes() && text.size() > rules.max_bytes()) {
    return "must have at most " + std::to_string(rules.max_bytes()) + " bytes";
  }
  if (!text.starts_with(rules.prefix())) return "must begin with " + quoted(rules.prefix());
  if (!text.ends_with(rules.suffix())) return "must end with " + quoted(rules.suffix());
  if (rules.has_pattern() && !re2::RE2::PartialMatch(text, rules.pattern())) {
    return "must match " + rules.pattern();
  }
  if (!rules.in().empty() &&
      std::find(rules.in().begin(), rules.in().end(), text) == rules.in().end()) {
    return "must be one of " + joined(rules.in(), [](const auto& each) { return each; });
  }
  if (rules.has_well_known_regex()) return unfit_for_header(text, rules);
  return {};
}

std::string unfit(const std::string& bytes, const validate::BytesRules& rules) {
  if (bytes.size() < rules.min_len()) {
    return "must have at least " + std::to_string(rules.min_len()) + " bytes";
  }
  if (rules.has_max_len() && bytes.size() > rules.max_len()) {
    return "must have at most " + std::to_string(rules.max_len()) + " bytes";
  }
  return {};
}

std::string unfit(int number, const EnumDescriptor& type, const validate::EnumRules& rules) {
  const auto* value = type.FindValueByNumber(number);
  const auto excluded = [&](int each) {
    return std::find(rules.not_in().begin(), rules.not_in().end(), each) != rules.not_in().end();
  };
  const bool unknown = value == nullptr && rules.defined_only();
  const bool disallowed = value != nullptr && value->options().GetExtension(
                                                  envoy::annotations::disallowed_by_default_enum);
  if (!unknown && !excluded(number) && !disallowed) return {};
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i) {
    if (!excluded(type.value(i)->number())) names.push_back(type.value(i)->name());
  }
  return "must be one of " + joined(names, [](const auto& each) { return each; });
}

bool is_wrapper(const Descriptor& type) {
  const auto known = type.well_known_type();
  return known >= Descriptor::WELLKNOWNTYPE_DOUBLEVALUE &&
         known <= Descriptor::WELLKNOWNTYPE_BOOLVALUE;
}

bool is_required(const validate::FieldRules& rules) {
  return rules.message().required() || rules.any().required() || rules.duration().required();
}

class Check {
 public:
  explicit Check(Problems& problems) : problems_(problems) {}

  void message(const Message& message, const Value& value) {
    if (problems_.any()) return;
    const auto& type = *message.GetDescriptor();
    check_refusals(message, value, problems_);
    if (type.well_known_type() == Descriptor::WELLKNOWNTYPE_ANY) {
      return unpack(static_cast<const Any&>(message), value);
    }
    if (type.well_known_type() != Descriptor::WELLKNOWNTYPE_UNSPECIFIED) return;
    for (int i = 0; i < type.real_oneof_decl_count(); ++i) {
      one_of(message, *type.oneof_decl(i), value);
    }
    for (int i = 0; i < type.field_count(); ++i) field(message, *type.field(i), value);
  }

 private:
  void one_of(const Message& message, const google::protobuf::OneofDescriptor& choice,
              const Value& value) {
    if (!choice.options().GetExtension(validate::required)) return;
    if (message.GetReflection()->HasOneof(message, &choice)) return;
    std::vector<std::string> names;
    for (int i = 0; i < choice.field_count(); ++i) names.push_back(choice.field(i)->name());
    const auto list = joined(names, [](const auto& each) { return each; });
    problems_.add(value, names.size() == 1 ? list + " is missing" : "needs one of " + list);
  }

  void field(const Message& message, const FieldDescriptor& field, const Value& value) {
    const auto& reflection = *message.GetReflection();
    const auto& rules = field.options().GetExtension(validate::rules);
    const auto written = field_value(value, field.name());
    const Place place{written.value_or(value), field, written.has_value()};
    const bool there = field.is_repeated() ? reflection.FieldSize(message, &field) > 0
                                           : reflection.HasField(message, &field);
    if (there && field.options().GetExtension(envoy::annotations::disallowed_by_default)) {
      return refuse(place, "Envoy does not take this field any more");
    }
    if (field.is_map()) return map(message, rules.map(), place);
    if (field.is_repeated()) return list(message, rules.repeated(), place);
    if (there || !field.has_presence()) return single({message, field}, rules, place);
    const bool one_of_many = field.real_containing_oneof() != nullptr;
    if (is_required(rules) && !one_of_many) refuse(place, "must not be empty");
  }

  void list(const Message& message, const validate::RepeatedRules& rules, const Place& place) {
    const int size = message.GetReflection()->FieldSize(message, &place.field);
    check_size(static_cast<std::uint64_t>(size), rules.min_items(),
               rules.has_max_items() ? std::optional(rules.max_items()) : std::nullopt, place);
    std::set<std::string> seen;
    for (int i = 0; i < size && !problems_.any(); ++i) {
      const auto at = place.at(element_value(place.value, static_cast<std::size_t>(i)));
      if (rules.unique()) {
        std::string text;
        google::protobuf::TextFormat::PrintFieldValueToString(message, &place.field, i, &text);
        if (!seen.insert(std::move(text)).second) return refuse(at, "is there twice");
      }
      single({message, place.field, i}, rules.items(), at);
    }
  }

  void map(const Message& message, const validate::MapRules& rules, const Place& place) {
    const auto& reflection = *message.GetReflection();
    const int size = reflection.FieldSize(message, &place.field);
    check_size(static_cast<std::uint64_t>(size), rules.min_pairs(), std::nullopt, place);
    const auto& entry = *place.field.message_type();
    for (int i = 0; i < size && !problems_.any(); ++i) {
      const auto& pair = reflection.GetRepeatedMessage(message, &place.field, i);
      Value key = place.value;
      Value value = place.value;
      for (const auto& [name, content] : place.value.entries()) {
        if (name.text() != key_text(pair)) continue;
        key = name;
        value = content;
      }
      single({pair, *entry.map_key()}, rules.keys(), place.at(key));
      single({pair, *entry.map_value()}, rules.values(), place.at(value));
    }
  }

  static std::string key_text(const Message& pair) {
    const auto* key = pair.GetDescriptor()->map_key();
    std::string text;
    if (key->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      return pair.GetReflection()->GetString(pair, key);
    }
    google::protobuf::TextFormat::PrintFieldValueToString(pair, key, -1, &text);
    return text;
  }

  void check_size(std::uint64_t size, std::uint64_t least, std::optional<std::uint64_t> most,
                  const Place& place) {
    const auto some = [](std::uint64_t number) {
      return std::to_string(number) + (number == 1 ? " element" : " elements");
    };
    if (size < least) refuse(place, "must have at least " + some(least));
    if (most && size > *most) refuse(place, "must have at most " + some(*most));
  }

  void single(const Slot& slot, const validate::FieldRules& rules, const Place& place) {
    switch (slot.field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return embedded(slot.embedded(), rules, place);
      case FieldDescriptor::CPPTYPE_STRING: {
        const auto text = slot.get(&Reflection::GetString, &Reflection::GetRepeatedString);
        return refuse(place, slot.field.type() == FieldDescriptor::TYPE_BYTES
                                 ? unfit(text, rules.bytes())
                                 : unfit(text, rules.string()));
      }
      case FieldDescriptor::CPPTYPE_ENUM:
        return refuse(place,
                      unfit(slot.get(&Reflection::GetEnumValue, &Reflection::GetRepeatedEnumValue),
                            *slot.field.enum_type(), rules.enum_()));
      case FieldDescriptor::CPPTYPE_UINT32:
        return refuse(
            place, out_of_range(rules.uint32(),
                                slot.get(&Reflection::GetUInt32, &Reflection::GetRepeatedUInt32)));
      case FieldDescriptor::CPPTYPE_UINT64:
        return refuse(
            place, out_of_range(rules.uint64(),
                                slot.get(&Reflection::GetUInt64, &Reflection::GetRepeatedUInt64)));
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return refuse(
            place, out_of_range(rules.double_(),
                                slot.get(&Reflection::GetDouble, &Reflection::GetRepeatedDouble)));
      case FieldDescriptor::CPPTYPE_BOOL: {
        const bool value = slot.get(&Reflection::GetBool, &Reflection::GetRepeatedBool);
        if (!rules.bool_().has_const_() || value == rules.bool_().const_()) return;
        return refuse(place, value ? "must be false" : "must be true");
      }
      default:  // no rules in use
        return;
    }
  }

  void embedded(const Message& child, const validate::FieldRules& rules, const Place& place) {
    const auto& type = *child.GetDescriptor();
    if (is_wrapper(type)) return single({child, *type.FindFieldByNumber(1)}, rules, place);
    if (type.well_known_type() == Descriptor::WELLKNOWNTYPE_DURATION) {
      refuse(place, out_of_range(rules.duration(), static_cast<const Duration&>(child)));
    }
    if (!rules.message().skip()) message(child, place.value);
  }

  void unpack(const Any& any, const Value& value) {
    const auto name = any.type_url().substr(any.type_url().rfind('/') + 1);
    const auto* type =
        google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
    if (type == nullptr) return problems_.add(value, "@type is missing");
    const auto* prototype =
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(type);
    const std::unique_ptr<Message> content(prototype->New());
    if (content->ParseFromString(any.value())) message(*content, value);
  }

  // Nothing, if there is no reason.
  void refuse(const Place& place, std::string reason) {
    if (reason.empty()) return;
    if (!place.written) reason = place.field.name() + " is missing";
    problems_.add(place.value, std::move(reason));
  }

  Problems& problems_;
};

}  // namespace

void check_constraints(const Message& message, const Value& value, Problems& problems) {
  Check(problems).message(message, value);
}

std::span<const std::string_view> checked_rules() { return kCheckedRules; }

}  // namespace lazymesh::registry
