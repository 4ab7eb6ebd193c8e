// The words that are not content: tables by class. English words are folded; guards that are verbs are stems. Chinese words as
// ICU's dictionary cuts them, in simplified and, where they differ, traditional characters.
#include <string>
#include <unordered_map>

#include "generate/statement.hpp"

namespace rag::core::grounding {

namespace {

using Roles = std::unordered_map<std::string, WordRole>;

void add(Roles& roles, WordRole role, std::string_view words) {
    for (std::size_t at = 0; at < words.size();) {
        const std::size_t end = std::min(words.find(' ', at), words.size());
        if (end > at) roles[std::string(words.substr(at, end - at))] = role;
        at = end + 1;
    }
}

WordRole role(WordRole::Class group) {
    WordRole out;
    out.group = group;
    return out;
}
WordRole tagged(Tag tag) {
    WordRole out = role(WordRole::kTag);
    out.tag = tag;
    return out;
}
WordRole guard(bool negation, bool denial) {
    WordRole out = role(WordRole::kGuard);
    out.negation = negation;
    out.denial = denial;
    return out;
}

void add_english_tags(Roles& out) {
    add(out, tagged(Tag::kPlace), "in on at during within inside near onto upon throughout across amid");
    add(out, tagged(Tag::kFrom), "from since out off");
    add(out, tagged(Tag::kTo), "to into toward towards until till");
    add(out, tagged(Tag::kBy), "by");
    add(out, tagged(Tag::kOf), "of");
    add(out, tagged(Tag::kWith), "with alongside together");
    add(out, tagged(Tag::kFor), "for");
    add(out, tagged(Tag::kAbout), "about regarding concerning around");
    add(out, tagged(Tag::kAgainst), "against versus vs");
    add(out, tagged(Tag::kOver), "over above beyond exceeding");
    add(out, tagged(Tag::kUnder), "under below beneath underneath");
    add(out, tagged(Tag::kBefore), "before prior");
    add(out, tagged(Tag::kAfter), "after following");
    add(out, tagged(Tag::kBetween), "between among amongst");
    add(out, tagged(Tag::kThrough), "through via");
    add(out, tagged(Tag::kAs), "as");
    add(out, tagged(Tag::kThan), "than");
    add(out, tagged(Tag::kLike), "like unlike despite except besides instead");
    add(out, tagged(Tag::kBecause), "because");
    add(out, tagged(Tag::kWhen), "when whenever once");
    add(out, tagged(Tag::kAlthough), "although though");
    add(out, tagged(Tag::kOther), "per behind along beside up down");
}

Roles make_english() {
    Roles out;
    add(out, role(WordRole::kLight),
        "a an the that do does did doing done has have had having we our us you your i my me there here also so then thus "
        "therefore "
        "however moreover additionally furthermore overall according accordingly passage passages context text texts document "
        "documents "
        "source sources information based answer question provided given mentioned stated such own itself himself herself "
        "themselves "
        "very quite just s re ve ll d approximately roughly too else upon specifically respectively etc i.e e.g");
    WordRole pronoun = role(WordRole::kLight);
    pronoun.pronoun = true;
    add(out, pronoun, "he she it they him her them his hers its their theirs this these those");
    WordRole be = role(WordRole::kLight);
    be.be = true;
    add(out, be, "is are was were be been being am isn aren wasn weren");
    add(out, role(WordRole::kBreak), "and but while whereas which who whom whose where yet");
    add_english_tags(out);
    add(out, guard(true, false),
        "not no never neither nor none nobody nothing nowhere without cannot hardly barely scarcely seldom rarely non");
    add(out, guard(false, false),
        "or all every each any some many few several both half most least more less fewer only almost nearly if unless whether "
        "another other "
        "first second third fourth fifth last hundred thousand million billion trillion anti ex pseudo quasi former");
    WordRole modal = guard(false, false);
    modal.modal = true;
    add(out, modal, "will would shall should can could may might must ought");
    const auto number = [&](const char* word, const char* digits) {
        WordRole one = role(WordRole::kContent);
        one.number = digits;
        out[word] = one;
    };
    for (const char* word :
         {"hundred", "thousand", "million", "billion", "trillion", "first", "second", "third", "fourth", "fifth", "last"})
        number(word, word);
    number("zero", "0"), number("two", "2"), number("three", "3"), number("four", "4"), number("five", "5"), number("six", "6");
    number("seven", "7"), number("eight", "8"), number("nine", "9"), number("ten", "10"), number("eleven", "11"),
        number("twelve", "12");
    number("thirteen", "13"), number("fourteen", "14"), number("fifteen", "15"), number("sixteen", "16"),
        number("seventeen", "17");
    number("eighteen", "18"), number("nineteen", "19"), number("twenty", "20"), number("thirty", "30"), number("forty", "40");
    number("fifty", "50"), number("sixty", "60"), number("seventy", "70"), number("eighty", "80"), number("ninety", "90");
    return out;
}

Roles make_english_stems() {
    Roles out;
    add(out, guard(false, false),
        "fail attempt tri plan intend prepar consid propos suggest claim believ think hope want expect predict possibl perhap "
        "probabl "
        "potenti stop ceas cancel abandon oppos avoid prevent prohibit ban forbid lack unlik seem appear assum suppos hypothes "
        "pretend "
        "threaten promis agre refus reject wonder doubt");
    add(out, guard(false, true),
        "fals untru wrong wrong incorrect myth hoax mistaken mistak fake rumor rumour deni denial disprov debunk refut alleg "
        "alleged supposed "
        "reported reportedli supposedli allegedli fiction imaginari");
    return out;
}

Roles make_han() {
    Roles out;
    add(out, role(WordRole::kLight),
        "\u7684 \u4e86 \u7740 \u8457 \u8fc7 \u904e \u6709 \u4e5f \u90fd \u5c31 \u800c \u4e14 \u5219 \u5247 \u4fbf \u8fd8 \u9084 "
        "\u53c8 \u4e4b \u90a3 \u90a3\u4e2a \u90a3\u4e9b \u6211\u4eec \u4e00\u4e2a \u4e00\u500b \u4e00\u79cd \u4e00\u7a2e \u4e2a "
        "\u500b "
        "\u4f4d \u540d \u9879 \u9805 \u6240 \u7b49 \u7b49\u7b49 \u5417 \u55ce \u5462 \u5427 \u554a \u5440 \u6839\u636e "
        "\u4f9d\u636e "
        "\u6309\u7167 \u8d44\u6599 \u6587\u6863 \u6bb5\u843d \u6587\u4e2d \u4e0a\u8ff0 \u63d0\u4f9b \u4fe1\u606f \u7b54\u6848 "
        "\u56e0\u6b64 "
        "\u6240\u4ee5 \u6b64\u5916 \u53e6\u5916 \u5373 \u79f0 \u79f0\u4e3a \u53eb\u505a \u540d\u4e3a \u7ea6 \u7d04 \u5927\u7ea6 "
        "\u5de6\u53f3 "
        "\u5730 \u5f97 \u8fdb\u884c \u9032\u884c \u4e3a \u70ba \u662f \u5219\u662f \u5373\u662f");
    WordRole pronoun = role(WordRole::kLight);
    pronoun.pronoun = true;
    add(out, pronoun,
        "\u4ed6 \u5979 \u5b83 \u4ed6\u4eec \u5979\u4eec \u5b83\u4eec \u4ed6\u5011 \u5176 \u8be5 \u8a72 \u6b64 \u8fd9 \u9019 "
        "\u8fd9\u4e2a "
        "\u8fd9\u4e9b");
    WordRole adverb = role(WordRole::kContent);
    adverb.adverb = true;
    add(out, adverb,
        "\u5df2 \u5df2\u7ecf \u66fe \u66fe\u7ecf \u6b63\u5f0f \u9996\u6b21 \u6700\u7ec8 \u968f\u540e \u76ee\u524d \u73b0\u5728 "
        "\u5171 \u4e3b\u8981 "
        "\u901a\u5e38 \u4e00\u822c \u6210\u529f \u9646\u7eed \u8fd1\u65e5 \u5f53\u65f6");
    add(out, role(WordRole::kBreak),
        "\u5e76 \u4e26 \u5e76\u4e14 \u4f46 \u4f46\u662f \u800c\u4e14 \u4ee5\u53ca \u548c \u53ca \u4e0e \u8207 \u4e0d\u8fc7 "
        "\u7136\u800c \u8ddf "
        "\u540c\u65f6");
    add(out, tagged(Tag::kPlace), "\u5728 \u4e8e \u65bc \u5f53 \u7576");
    add(out, tagged(Tag::kFrom), "\u4ece \u5f9e \u81ea \u81ea\u4ece");
    add(out, tagged(Tag::kTo), "\u5230 \u81f3 \u5411 \u5f80 \u671d");
    add(out, tagged(Tag::kBy), "\u88ab \u906d \u7531");
    add(out, tagged(Tag::kAbout), "\u5bf9 \u5c0d \u5bf9\u4e8e \u5173\u4e8e");
    add(out, tagged(Tag::kWith), "\u4ee5 \u7528");
    add(out, tagged(Tag::kFor), "\u4e3a\u4e86 \u7ed9");
    add(out, tagged(Tag::kThan), "\u6bd4 \u6bd4\u8f83");
    add(out, tagged(Tag::kBecause), "\u56e0\u4e3a \u7531\u4e8e \u56e0");
    add(out, tagged(Tag::kAlthough), "\u867d\u7136 \u5c3d\u7ba1");
    add(out, tagged(Tag::kOther), "\u628a");
    add(out, guard(true, false),
        "\u4e0d \u6ca1 \u6c92 \u6ca1\u6709 \u6c92\u6709 \u65e0 \u7121 \u672a \u975e \u522b \u52ff \u83ab \u5426 \u5e76\u975e "
        "\u4e0d\u662f "
        "\u4e0d\u4f1a \u4e0d\u6703 \u4e0d\u80fd \u4e0d\u53ef \u4e0d\u5f97 \u4e0d\u518d \u672a\u80fd \u4ece\u672a \u4ece\u4e0d "
        "\u6beb\u65e0 "
        "\u7edd\u4e0d \u65e0\u6cd5 \u7121\u6cd5 \u5e76\u4e0d \u5e76\u6ca1\u6709 \u4e0d\u5fc5 \u4e0d\u5e94 \u672a\u66fe "
        "\u5c1a\u672a");
    add(out, guard(false, false),
        "\u6216 \u6216\u8005 \u6240\u6709 \u5168\u90e8 \u6bcf \u6bcf\u4e2a \u5404 \u4e00\u4e9b \u90e8\u5206 \u6709\u4e9b "
        "\u5927\u591a\u6570 "
        "\u591a\u6570 \u5c11\u6570 \u8bb8\u591a \u5f88\u591a \u51e0 \u53ea \u4ec5 \u4ec5\u4ec5 \u6700 \u66f4 \u7b2c \u4ee5\u4e0a "
        "\u4ee5\u4e0b "
        "\u8d85\u8fc7 \u4e0d\u8db3 \u81f3\u5c11 \u81f3\u591a \u6700\u591a \u6700\u5c11 \u534a \u4e4b\u524d \u4e4b\u540e "
        "\u4ee5\u524d \u4ee5\u540e "
        "\u53ef\u80fd \u4e5f\u8bb8 \u6216\u8bb8 \u5927\u6982 \u5c06 \u5c07 \u5c06\u8981 \u4f1a \u6703 \u80fd \u80fd\u591f "
        "\u53ef\u4ee5 \u5e94 "
        "\u5e94\u8be5 \u5e94\u5f53 \u5fc5\u987b \u5982\u679c \u5047\u5982 \u82e5 \u5018\u82e5 \u9664\u975e \u662f\u5426 "
        "\u8ba1\u5212 \u8a08\u5283 "
        "\u6253\u7b97 \u62df \u8003\u8651 \u51c6\u5907 \u8bd5\u56fe \u4f01\u56fe \u5c1d\u8bd5 \u62d2\u7edd \u62d2\u7d55 "
        "\u53cd\u5bf9 \u907f\u514d "
        "\u9632\u6b62 \u7981\u6b62 \u505c\u6b62 \u53d6\u6d88 \u653e\u5f03 \u7ec8\u6b62 \u5931\u8d25 \u5dee\u70b9 \u51e0\u4e4e "
        "\u524d \u540e \u539f "
        "\u526f \u5e0c\u671b \u8ba4\u4e3a \u9884\u8ba1");
    add(out, guard(false, true),
        "\u636e\u79f0 \u636e\u8bf4 \u4f20\u95fb \u58f0\u79f0 \u8c23\u8a00 \u8b20\u8a00 \u4e0d\u5b9e \u865a\u5047 \u9519\u8bef "
        "\u932f\u8aa4 \u5426\u8ba4 "
        "\u5426\u8a8d \u865a\u6784 \u8bef\u4f20");
    return out;
}

}  // namespace

WordRole english_role(std::string_view folded, std::string_view stem) {
    static const Roles kWords = make_english();
    static const Roles kStems = make_english_stems();
    if (const auto at = kWords.find(std::string(folded)); at != kWords.end()) return at->second;
    if (const auto at = kStems.find(std::string(stem)); at != kStems.end()) return at->second;
    WordRole out;
    out.adverb = folded.size() > 4 && folded.substr(folded.size() - 2) == "ly";
    return out;
}

WordRole han_role(std::string_view word) {
    static const Roles kWords = make_han();
    if (const auto at = kWords.find(std::string(word)); at != kWords.end()) return at->second;
    return {};
}

}  // namespace rag::core::grounding
