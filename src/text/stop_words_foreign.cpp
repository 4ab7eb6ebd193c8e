// The function words of the other languages that have a Snowball stemmer and that we know well enough to list: closed word
// classes in their folded form. Left out on purpose: negations (they change what a text claims) and words that are a content word
// as well. stop_words.cpp holds those of English and finds the right list.
#include "text/stop_words.hpp"

namespace rag::core {

std::span<const StopWordList> foreign_stop_words() {
    static constexpr StopWordList kLists[] = {
        {"catalan ca cat",
         "el la els les l un una uns unes de del dels d al als pel pels per a amb en i o per\u00f2 sin\u00f3 "
         "que perqu\u00e8 si com quan on mentre jo tu ell ella nosaltres vosaltres ells elles em et es ens us "
         "li ho hi meu meva meus meves teu teva teus teves seu seva seus seves nostre nostra nostres vostre "
         "vostra vostres aquest aquesta aquests aquestes aix\u00f2 aquell aquella aquells aquelles all\u00f2 "
         "qui qu\u00e8 quin quina quins quines s\u00f3c ets \u00e9s som sou s\u00f3n era eren fou foren "
         "ser\u00e0 seran seria serien estat sent ser he has ha hem heu han havia havien haur\u00e0 hauria "
         "hagut haver tamb\u00e9"},
        {"danish da dan",
         "en et den det de dem og eller men for at som om n\u00e5r der her hvor hvordan hvad hvem hvilken "
         "hvilket hvilke hvorfor da s\u00e5 end mens jeg du han hun vi i mig dig sig ham hende os jer min mit "
         "mine din dit dine sin sit sine hans hendes vor vort vores jeres deres denne dette disse p\u00e5 af "
         "til fra med under over mellem mod hos ved efter f\u00f8r gennem er var v\u00e6ret v\u00e6re bliver "
         "blev blive blevet har havde haft have kan kunne skal skulle vil ville m\u00e5 m\u00e5tte f\u00e5r "
         "fik ogs\u00e5"},
        {"dutch nl dut nld",
         "de het een der des en of maar want dat die dit deze dan als omdat terwijl hoewel toen zoals ik jij "
         "je u hij zij ze wij we jullie mij me jou hem haar ons hen hun mijn jouw uw zijn onze wie wat waar "
         "wanneer waarom hoe welke welk in op aan van voor met bij uit over onder naar door tegen tot tussen "
         "om te ten ter is ben bent was waren geweest wordt worden werd werden heb hebt heeft hebben had "
         "hadden gehad kan kunt kunnen kon konden moet moeten moest moesten zal zullen zou zouden wil willen "
         "wilde wilden mag mogen mocht ook er hier daar zo"},
        {"finnish fi fin",
         "ja tai mutta sek\u00e4 eli vaan ett\u00e4 jotta koska kun jos vaikka kuin niin min\u00e4 sin\u00e4 "
         "h\u00e4n me te he minun sinun h\u00e4nen meid\u00e4n teid\u00e4n heid\u00e4n minua sinua "
         "h\u00e4nt\u00e4 meit\u00e4 teit\u00e4 heit\u00e4 minulla sinulla h\u00e4nell\u00e4 meill\u00e4 "
         "teill\u00e4 heill\u00e4 minulle sinulle h\u00e4nelle meille teille heille se sen sit\u00e4 "
         "siit\u00e4 siin\u00e4 siihen sill\u00e4 sille ne niiden niit\u00e4 niist\u00e4 niiss\u00e4 "
         "t\u00e4m\u00e4 t\u00e4m\u00e4n t\u00e4t\u00e4 t\u00e4st\u00e4 t\u00e4ss\u00e4 t\u00e4h\u00e4n "
         "n\u00e4m\u00e4 n\u00e4iden n\u00e4it\u00e4 tuo tuon tuota nuo joka jonka jota jossa josta johon "
         "jotka joiden joita joissa kuka kenen ket\u00e4 mik\u00e4 mink\u00e4 mit\u00e4 miss\u00e4 mist\u00e4 "
         "mihin milloin miksi miten olen olet on olemme olette ovat oli olivat olin olit ollut olleet olisi "
         "olisivat olla ole my\u00f6s"},
        {"french fr fre fra",
         "le la les l un une des du de d au aux et ou mais donc or ni car que qu quoi qui dont o\u00f9 "
         "lorsque puisque quand comme si je j tu il elle on nous vous ils elles me m te t se s lui leur leurs "
         "y en moi toi soi eux mon ma mes ton ta tes son sa ses notre nos votre vos ce c cet cette ces cela "
         "ceci \u00e7a celui celle ceux celles quel quelle quels quelles \u00e0 dans par pour sur sous avec "
         "chez vers entre suis es est sommes \u00eates sont \u00e9tais \u00e9tait \u00e9tions \u00e9tiez "
         "\u00e9taient serai sera serons serez seront serais serait seraient \u00e9t\u00e9 \u00e9tant "
         "\u00eatre fut furent soit soient ai as a avons avez ont avais avait avions aviez avaient aurai aura "
         "auront aurait auraient eu ayant avoir fait font faire aussi ainsi alors puis"},
        {"german de ger deu",
         "der die das den dem des ein eine einen einem einer eines und oder aber denn doch sondern als wie "
         "wenn weil dass ob damit obwohl w\u00e4hrend bevor nachdem ich du er sie es wir ihr mich dich sich "
         "uns euch mir dir ihm ihn ihnen mein meine meinen meinem meiner meines dein deine deinen deinem "
         "deiner sein seine seinen seinem seiner seines ihre ihren ihrem ihrer ihres unser unsere unseren "
         "unserem unserer euer eure dieser diese dieses diesen diesem jener jene jenes jeder jede jedes jeden "
         "jedem welcher welche welches welchen welchem wer was wo wann warum wieso in im an am auf aus bei "
         "beim mit nach von vom zu zum zur f\u00fcr gegen um durch \u00fcber unter vor hinter neben zwischen "
         "bis seit bin bist ist sind seid war waren w\u00e4re w\u00e4ren gewesen werde wirst wird werden "
         "werdet wurde wurden w\u00fcrde w\u00fcrden worden habe hast hat haben habt hatte hatten h\u00e4tte "
         "h\u00e4tten kann kannst k\u00f6nnen k\u00f6nnt konnte konnten k\u00f6nnte k\u00f6nnten muss "
         "m\u00fcssen musste mussten soll sollen sollte sollten will wollen wollte wollten darf d\u00fcrfen "
         "durfte mag m\u00f6gen auch so dann da dort hier hin her daher also"},
        {"hungarian hu hun",
         "a az egy \u00e9s vagy de hanem hogy mert ha mint amikor ahol ahogy b\u00e1r m\u00edg \u00e9n te "
         "\u0151 mi ti \u0151k engem t\u00e9ged \u0151t minket titeket \u0151ket nekem neked neki nek\u00fcnk "
         "nektek nekik ez ezt ezek ezeket azt azok azokat ennek annak ebben abban erre arra ami amit aki akit "
         "amely amelyet amelyek ki kit mit melyik hol mikor mi\u00e9rt hogyan van vannak volt voltak lesz "
         "lesznek lenne lenn\u00e9nek legyen lett volna vagyok vagyunk is meg el fel le be majd m\u00e1r "
         "m\u00e9g csak"},
        {"indonesian id ind",
         "dan atau tetapi tapi yang untuk dari ke di pada dengan oleh dalam sebagai karena jika kalau bila "
         "agar supaya bahwa saya aku kamu anda dia ia kami kita mereka ini itu tersebut adalah ialah "
         "merupakan akan telah sudah sedang bisa dapat harus juga pun lah kah apa siapa mana kapan mengapa "
         "bagaimana para sebuah seorang suatu"},
        {"italian it ita",
         "il lo la i gli le l un uno una di del dello della dei degli delle d a al allo alla ai agli alle da "
         "dal dallo dalla dai dagli dalle in nel nello nella nei negli nelle su sul sullo sulla sui sugli "
         "sulle con col coi per tra fra e ed o ma per\u00f2 che chi cui se come quando dove mentre "
         "perch\u00e9 anche io tu lui lei noi voi loro mi ti si ci vi ne li me te mio mia miei mie tuo tua "
         "tuoi tue suo sua suoi sue nostro nostra nostri nostre vostro vostra vostri vostre questo questa "
         "questi queste quello quella quelli quelle quel quei quegli quale quali cosa sono sei \u00e8 siamo "
         "siete ero era eravamo erano fui fu furono sar\u00f2 sar\u00e0 saranno sarebbe sarebbero stato stata "
         "stati state essere essendo ho hai ha abbiamo avete hanno aveva avevano avr\u00e0 avranno avrebbe "
         "avuto avere"},
        {"norwegian no nor nb nn",
         "en ei et den det de dem og eller men for at som om n\u00e5r der her hvor hvordan hva hvem hvilken "
         "hvilket hvilke hvorfor da s\u00e5 enn mens jeg du han hun vi dere meg deg seg ham henne oss min "
         "mitt mine din ditt dine sin sitt sine hans hennes v\u00e5r v\u00e5rt v\u00e5re deres denne dette "
         "disse i p\u00e5 av til fra med under over mellom mot hos ved etter f\u00f8r gjennom er var "
         "v\u00e6rt v\u00e6re blir ble bli blitt har hadde hatt ha kan kunne skal skulle vil ville m\u00e5 "
         "m\u00e5tte f\u00e5r fikk ogs\u00e5 eg ho me dykk dei"},
        {"portuguese pt por",
         "o a os as um uma uns umas de do da dos das em no na nos nas ao \u00e0 aos \u00e0s pelo pela pelos "
         "pelas por para com e ou mas que se como quando onde porque pois enquanto embora eu tu ele ela "
         "n\u00f3s v\u00f3s eles elas voc\u00ea voc\u00eas me te lhe lhes vos meu minha meus minhas teu tua "
         "teus tuas seu sua seus suas nosso nossa nossos nossas este esta estes estas isto esse essa esses "
         "essas isso aquele aquela aqueles aquelas aquilo qual quais quem sou \u00e9 somos s\u00e3o era "
         "\u00e9ramos eram fui foi foram ser\u00e1 ser\u00e3o seria seriam sido sendo ser estou est\u00e1 "
         "estamos est\u00e3o estava estavam estado estar tenho tem temos t\u00eam tinha tinham ter\u00e1 "
         "teria tido ter hei h\u00e1 h\u00e3o havia haver houve tamb\u00e9m at\u00e9 entre sobre desde dum "
         "duma num numa"},
        {"romanian ro rum ron",
         "un o unei unui unor ni\u0219te al a ai ale lui \u0219i sau dar ci iar c\u0103 s\u0103 dac\u0103 "
         "c\u00e2nd unde cum de\u0219i pentru deoarece ca eu tu el ea noi voi ei ele m\u0103 te \u00eel "
         "\u00eei le ne v\u0103 se mi \u021bi \u00ee\u0219i lor meu mea mei mele t\u0103u ta t\u0103i tale "
         "s\u0103u sa s\u0103i sale nostru noastr\u0103 no\u0219tri noastre vostru voastr\u0103 acest "
         "aceast\u0103 ace\u0219ti aceste acesta aceasta ace\u0219tia acestea acel acea acei acele care cine "
         "ce c\u0103rui c\u0103rei c\u0103ror \u00een din de la pe cu prin spre \u00eentre sub peste "
         "p\u00e2n\u0103 sunt e\u0219ti este e suntem sunte\u021bi eram era erau am are avem ave\u021bi au "
         "avea aveau fi fost fiind va vor ar a\u0219 a\u021bi"},
        {"russian ru rus",
         "\u0438 \u0438\u043b\u0438 \u0430 \u043d\u043e \u0434\u0430 \u0436\u0435 \u043b\u0438 \u0431\u044b "
         "\u0447\u0442\u043e \u0447\u0442\u043e\u0431\u044b \u043a\u0430\u043a \u043a\u043e\u0433\u0434\u0430 "
         "\u0433\u0434\u0435 \u0435\u0441\u043b\u0438 \u0445\u043e\u0442\u044f \u043f\u043e\u043a\u0430 "
         "\u043f\u043e\u0442\u043e\u043c\u0443 \u0442\u0430\u043a \u0442\u043e \u044f \u0442\u044b "
         "\u043e\u043d \u043e\u043d\u0430 \u043e\u043d\u043e \u043c\u044b \u0432\u044b \u043e\u043d\u0438 "
         "\u043c\u0435\u043d\u044f \u043c\u043d\u0435 \u043c\u043d\u043e\u0439 \u0442\u0435\u0431\u044f "
         "\u0442\u0435\u0431\u0435 \u0442\u043e\u0431\u043e\u0439 \u0435\u0433\u043e \u0435\u043c\u0443 "
         "\u0438\u043c \u043d\u0451\u043c \u043d\u0435\u043c \u0435\u0451 \u0435\u0435 \u0435\u0439 "
         "\u043d\u0435\u0439 \u043d\u0435\u0451 \u043d\u0435\u0435 \u043d\u0430\u0441 \u043d\u0430\u043c "
         "\u043d\u0430\u043c\u0438 \u0432\u0430\u0441 \u0432\u0430\u043c \u0432\u0430\u043c\u0438 "
         "\u0438\u0445 \u0438\u043c\u0438 \u043d\u0438\u0445 \u043d\u0438\u043c \u043d\u0438\u043c\u0438 "
         "\u043c\u043e\u0439 \u043c\u043e\u044f \u043c\u043e\u0451 \u043c\u043e\u0435 \u043c\u043e\u0438 "
         "\u043c\u043e\u0435\u0433\u043e \u043c\u043e\u0435\u0439 \u043c\u043e\u0438\u0445 "
         "\u0442\u0432\u043e\u0439 \u0442\u0432\u043e\u044f \u0442\u0432\u043e\u0451 \u0442\u0432\u043e\u0438 "
         "\u0441\u0432\u043e\u0439 \u0441\u0432\u043e\u044f \u0441\u0432\u043e\u0451 \u0441\u0432\u043e\u0435 "
         "\u0441\u0432\u043e\u0438 \u0441\u0432\u043e\u0435\u0433\u043e \u0441\u0432\u043e\u0435\u0439 "
         "\u0441\u0432\u043e\u0438\u0445 \u0441\u0432\u043e\u0438\u043c \u043d\u0430\u0448 "
         "\u043d\u0430\u0448\u0430 \u043d\u0430\u0448\u0435 \u043d\u0430\u0448\u0438 \u0432\u0430\u0448 "
         "\u0432\u0430\u0448\u0430 \u0432\u0430\u0448\u0435 \u0432\u0430\u0448\u0438 \u044d\u0442\u043e\u0442 "
         "\u044d\u0442\u0430 \u044d\u0442\u043e \u044d\u0442\u0438 \u044d\u0442\u043e\u0433\u043e "
         "\u044d\u0442\u043e\u0439 \u044d\u0442\u0438\u0445 \u044d\u0442\u043e\u043c\u0443 "
         "\u044d\u0442\u0438\u043c \u0442\u043e\u0442 \u0442\u0430 \u0442\u0435 \u0442\u043e\u0433\u043e "
         "\u0442\u043e\u0439 \u0442\u0435\u0445 \u0442\u043e\u043c\u0443 \u0442\u0435\u043c "
         "\u043a\u043e\u0442\u043e\u0440\u044b\u0439 \u043a\u043e\u0442\u043e\u0440\u0430\u044f "
         "\u043a\u043e\u0442\u043e\u0440\u043e\u0435 \u043a\u043e\u0442\u043e\u0440\u044b\u0435 "
         "\u043a\u043e\u0442\u043e\u0440\u043e\u0433\u043e \u043a\u043e\u0442\u043e\u0440\u043e\u0439 "
         "\u043a\u043e\u0442\u043e\u0440\u044b\u0445 \u043a\u043e\u0442\u043e\u0440\u043e\u043c "
         "\u043a\u0442\u043e \u043a\u043e\u0433\u043e \u043a\u043e\u043c\u0443 \u043a\u0435\u043c "
         "\u0447\u0435\u0433\u043e \u0447\u0435\u043c\u0443 \u0447\u0435\u043c \u043a\u0430\u043a\u043e\u0439 "
         "\u043a\u0430\u043a\u0430\u044f \u043a\u0430\u043a\u043e\u0435 \u043a\u0430\u043a\u0438\u0435 \u0432 "
         "\u0432\u043e \u043d\u0430 \u0441 \u0441\u043e \u043a \u043a\u043e \u043e \u043e\u0431 "
         "\u043e\u0431\u043e \u043e\u0442 \u0434\u043e \u0438\u0437 \u0438\u0437\u043e \u0443 \u0437\u0430 "
         "\u043f\u043e \u043f\u043e\u0434 \u043d\u0430\u0434 \u043f\u0440\u0438 \u043f\u0440\u043e "
         "\u0434\u043b\u044f \u0447\u0435\u0440\u0435\u0437 \u043c\u0435\u0436\u0434\u0443 \u0431\u044b\u043b "
         "\u0431\u044b\u043b\u0430 \u0431\u044b\u043b\u043e \u0431\u044b\u043b\u0438 \u0431\u044b\u0442\u044c "
         "\u0435\u0441\u0442\u044c \u0431\u0443\u0434\u0435\u0442 \u0431\u0443\u0434\u0443\u0442 "
         "\u0431\u0443\u0434\u0443 \u0431\u0443\u0434\u0435\u043c \u0442\u0430\u043a\u0436\u0435 "
         "\u0442\u043e\u0436\u0435"},
        {"spanish es esl spa",
         "el la los las lo un una unos unas de del al y e o u pero sino que porque pues si como cuando donde "
         "mientras aunque yo t\u00fa \u00e9l ella ello nosotros nosotras vosotros vosotras ellos ellas usted "
         "ustedes me te se nos os le les mi mis tu tus su sus nuestro nuestra nuestros nuestras vuestro "
         "vuestra vuestros vuestras este esta estos estas esto ese esa esos esas eso aquel aquella aquellos "
         "aquellas aquello qu\u00e9 qui\u00e9n qui\u00e9nes cu\u00e1l cu\u00e1les cu\u00e1ndo d\u00f3nde "
         "c\u00f3mo quien quienes cual cuales a ante bajo con desde en entre hacia hasta para por seg\u00fan "
         "sobre tras soy eres es somos sois son era eras \u00e9ramos eran fui fue fueron ser\u00e1 ser\u00e1n "
         "ser\u00eda ser\u00edan sido siendo ser estoy est\u00e1 estamos est\u00e1n estaba estaban estado "
         "estar he has ha hemos hab\u00e9is han hab\u00eda hab\u00edan habr\u00e1 habr\u00eda habido haber "
         "hay tambi\u00e9n as\u00ed"},
        {"swedish sv swe",
         "en ett den det de dem och eller men f\u00f6r att som om n\u00e4r d\u00e4r h\u00e4r hur vad vem "
         "vilken vilket vilka varf\u00f6r d\u00e5 s\u00e5 \u00e4n d\u00e4rf\u00f6r medan jag du han hon vi ni "
         "mig dig sig honom henne oss er min mitt mina din ditt dina sin sitt sina hans hennes v\u00e5r "
         "v\u00e5rt v\u00e5ra ert era deras dess denna detta dessa i p\u00e5 av till fr\u00e5n med utan under "
         "\u00f6ver mellan mot hos vid efter f\u00f6re genom \u00e4r var varit vara blir blev bli blivit har "
         "hade haft ha kan kunde kunnat ska skall skulle vill ville m\u00e5ste f\u00e5r fick ocks\u00e5"},
        {"turkish tr tur",
         "bir ve veya ya da de ile ama fakat ancak \u00e7\u00fcnk\u00fc ki e\u011fer ise gibi kadar i\u00e7in "
         "ben sen o biz siz onlar bana sana ona bize size onlara beni seni onu bizi sizi onlar\u0131 benim "
         "senin onun bizim sizin onlar\u0131n bu \u015fu bunlar \u015funlar bunu \u015funu buna \u015funa "
         "bunun \u015funun kim ne nerede neden ni\u00e7in nas\u0131l hangi mi m\u0131 mu m\u00fc d\u0131r dir "
         "dur d\u00fcr idi imi\u015f olan olarak oldu oldu\u011fu olur olmak daha"},
    };
    return kLists;
}

}  // namespace rag::core
