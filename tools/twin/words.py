"""Word lists of the generated twin tasks, written for them. No word is an input of the official task it is used in."""

from __future__ import annotations


def listed(text: str) -> list[str]:
    """The words of a text."""
    return text.split()


# For the three spelling tasks (each takes its own third), the lists to sort and the check that no scramble is a word.
SPELLING = listed("""
abrupt absurd abundant accurate acidic acorn acrobat acrobatic active actual acute adorable adore aerial afloat afraid agile ajar alike
almond aloft aloud amber amble amicable ample amusing anchovy annoy anvil anxious apricot apron arid artichoke asleep astute atlas attic
avid avocado awake awkward awning axle azure babble badger bagpipe bake balcony bald balmy bamboo bandage banjo barely bashful basil
bathe beetroot beige belated beneath berry beware bitter blackboard blanket blazer bleak blend blink blister blizzard blossom blurt
bobbin bold bonnet bookmark boomerang borrow bouncy bracelet brave breezy brew brisk brittle broom buckle bulky bumpy burrow bustle buzz
cackle candid canoe caramel careful caress carousel cautious celery cheeky cheerful chestnut chilly chirp chisel chore chubby chuckle
churn cinnamon circular clamber clammy clarinet clatter clever cling clumsy coarse cobweb coconut comet compass comply confess confide
corduroy cosy cough cradle crayon creaky creamy crimson crinkle crisp crispy crochet crooked crouch crumble crumpet crunchy cuddle
cunning curly curtsy cymbal daffodil dainty dampen dandelion dangle daring dazzle deaf decent deceptive deem deepen defiant delicate
delightful dense deny devour dimple dine dingy dizzy doodle doorbell dormouse doze drab draughty dreary drench dribble drizzle drowsy
dungarees dusty dwindle eager earnest earring earthworm easel eclectic edible eerie elastic elegant elusive embark embrace emerge emit
empty enchant endearing endless endure enormous entangle envious envy erase errand eternal evade evasive evolve exact excited exhale
exotic expel explode extinct eyebrow eyelash faint faithful fake falter famished famous fancy fearless feeble ferocious fertile fetch
feverish fickle fidget fierce fiery filthy firefly fizzy flabby flannel flatten flawless fleece flicker flimsy flippant floppy flounder
fluent fluffy flutter foggy fold forgetful forgive fragile frail frantic freckle frequent fretful frisky frizzy frosty frown frugal
furious furry fussy futile fuzzy gallop gargle garland garlic gasp generous gentle geranium gherkin giddy giggle gingerly glad glance
glare gleam glide glisten gloomy glossy glow glum gnarled gnaw gobble goblet gooseberry gorgeous gosling graceful gracious grapefruit
grasp grateful gravy greasy greedy gregarious grim grimace grin grind groan grubby gruff grumble grumpy gullible gulp gurgle gusty hairy
halve hammock handsome handy haphazard hardy harmless harmonica harsh hasty haughty hazel hazy headlong heavily hectic hedgehog hefty
heron hesitate hiccup hideous hilarious hinder hoarse hobble hollow homesick honest hopeful hopscotch horrid hostile hover howl hue huge
humble humid hummus hungry hurdle hurl hurry husky hyacinth icicle icy idle illegible immense impish implore improve inflate inhale
innocent inquire insist intact invent invisible irksome irritable itchy ivory ivy jagged jaunty jealous jelly jigsaw jingle jolly jostle
jovial joyful jubilant juggle juicy jumble jumpy juniper kaleidoscope keen kettle kindle kingfisher kneel knit knotty
kumquat lace ladle ladybird lament languid lanky lantern lathe lavender lavish lawful lazy leafy lean learn leek legible leisurely
lenient lentil lethargic lick lilac limber limp linger listen listless lively loathe locust lofty loiter lonely lopsided loud loyal
lucid lukewarm lullaby lumpy lunge lurch lurk lush luxurious mackerel magenta magnify magpie mahogany majestic malt mandolin maple
marigold marmalade marvel marzipan massive mauve meadow meander measly meddle meek mellow melt mend merry messy mighty mild mimic mingle
minty misty mitten moan modest molten monotonous moody morose mossy mottled mourn muddy muffin mumble munch murky mushy musty mutter
myrtle mystify naive narrow nasty naughty navigate neat nervous nestle nettle newt nibble nifty nightingale nimble nocturnal nod noisy
nosy notice nougat novice numb nutmeg nutty oatmeal obedient obey obscure obsolete obtain ochre odd offend oily omelette onward ooze
opaque optimistic oregano origami ornate otter outgoing outlandish outrageous overjoyed overlook owlish oyster pacify paddle paddock
padlock pamper pancake pantry papaya parsley parsnip peacock pebble peculiar peek peel pelican pensive peppermint perch perky pesky
petrify petunia pewter pickle pierce pigeon pillow pinch placid plaid plausible playful plead pleasant plentiful plough pluck plump
plunge plush poached polite pomegranate ponder popcorn porous porridge portly pounce pout pragmatic prance precise preheat pretend
pretzel prickly primrose privet prod prompt proud prowl prune puddle pudgy puffin punctual puny puppet purple purr quack quaint quaver
queasy quench quick quiet quilt quinoa quirky quiver quiz radiant radish ragged rainbow rainy raisin rambling rapid rare rash raspberry
rattle raucous ravenous rebuild reckless reckon recline refresh refuse regal rejoice relax reliable reluctant remote repeat resent
restless revolve rhinestone rhubarb rickety rigid ripe ripple roam rosemary rosy rotten rough rubbery rude rugged rumble rummage rustic
rusty ruthless sandal sandy sapphire sardine satchel saucepan saunter savoury scald scallop scamper scant scarecrow scarlet scary
scatter scold scoop scorch scowl scrape scribble scrub sculpt seagull seasick secluded selfish serene severe shabby shaggy shallow
shatter shimmer shiny shiver shovel shrewd shriek shrill shrink shrivel shuffle sigh silky silly simmer sincere sip sizzle skid skilful
skimpy sleek sleepy slender slick slimy slippery slither sloppy slouch slumber sly smart smear smirk smooth smother smudge smug snappy
snatch sneaky sneeze sniff snore snorkel snowflake snug soak soapy sob soften soggy solemn soothe sorrow sour spacious sparkle sparse
speckled spicy spinach spindle splash splendid spoil spontaneous spooky spotless sprinkle sprout spruce squabble squander squash squeak
squeeze squid squint squirm squirrel stable stagger stale stammer starfish stark starve stealthy steep stern stifle stingy stocky stoop
stormy stout strawberry strenuous striped stroll strum stubborn sturdy stutter subtle sulk sultry sunflower superb supple
swallow swap swarm swell swerve swirl swivel sympathetic syrup tadpole talkative tame tangerine tangle tangy tapestry tardy tart tasty
tattered teapot tease tedious tempting tender tense tepid terrify testy thankful thaw thimble thirsty thistle thorny thorough thoughtful
thrifty thrilling throb thud thump thyme ticklish tidy timid tingle tinker tiny tiptoe tired toddle toffee toil torrential tortoise
totter tough tranquil transparent treacle tremble tremendous trickle tricky trifle trudge tulip tumble turnip turquoise twiddle twirl
twitch typical ugly ultimate umbrella unaware uncanny undo uneasy uneven unfasten unique unkempt unlock unpack unravel unripe untidy
upbeat upright urge urgent useful usher utter vacant vague vain vanilla vanish varnish vast velvet versatile vibrant vicious vigilant
vigorous vile vinegar violet visible vivid volatile waddle waffle wail wake walnut waltz wander warble warn wary wasp
waterproof wavy waxy weary weasel weave weep weird whimper whimsical whine whirl whisk whisper wholesome wicked wiggle wild wilt wince
windy wink wiry wise wisteria witty wobble wonderful wonky woolly wordy worried worthless woven wrestle wriggle wring wrinkle wry yawn
yearn yellowish yelp yodel yummy zany zealous zest zigzag zinnia zippy zither zoom
""")

# A thing and the plurals that careful writers use, the commonest first. A third are irregular or have two forms.
PLURALS = listed("""
abacus:abacuses/abaci acorn:acorns addendum:addenda/addendums alcove:alcoves alga:algae alumnus:alumni anchovy:anchovies
antenna:antennae/antennas antithesis:antitheses anvil:anvils appendix:appendices/appendixes apron:aprons aquarium:aquariums/aquaria
artichoke:artichokes atlas:atlases attic:attics automaton:automata/automatons avocado:avocados axe:axes axis:axes
baby-sitter:baby-sitters bacterium:bacteria bagel:bagels balcony:balconies bayonet:bayonets beech:beeches berry:berries
blackberry:blackberries blister:blisters blouse:blouses blueberry:blueberries bookshelf:bookshelves boss:bosses bramble:brambles
broomstick:broomsticks brother-in-law:brothers-in-law brush:brushes bunny:bunnies bureau:bureaus/bureaux buttercup:buttercups
buzz:buzzes cactus:cacti/cactuses calf:calves canary:canaries candelabrum:candelabra/candelabrums candlestick:candlesticks
cello:cellos/celli chateau:chateaux/chateaus cherry:cherries cherub:cherubs/cherubim chimney:chimneys chisel:chisels
chrysalis:chrysalises/chrysalides cockatoo:cockatoos cockroach:cockroaches colossus:colossi/colossuses
commander-in-chief:commanders-in-chief compass:compasses concerto:concertos/concerti cranberry:cranberries criterion:criteria
crocus:crocuses/croci crutch:crutches cuckoo:cuckoos cypress:cypresses dais:daises daisy:daisies daughter-in-law:daughters-in-law
die:dice/dies dingo:dingoes/dingos dormouse:dormice dragonfly:dragonflies drumstick:drumsticks dwarf:dwarfs/dwarves dynamo:dynamos
easel:easels eel:eels elf:elves ellipsis:ellipses embargo:embargoes embryo:embryos erratum:errata ewe:ewes eyelash:eyelashes
eyetooth:eyeteeth father-in-law:fathers-in-law fern:ferns ferry:ferries fez:fezzes/fezes finch:finches firefly:fireflies
fisherman:fishermen flamingo:flamingos/flamingoes fly:flies forefoot:forefeet fox:foxes fresco:frescoes/frescos gateau:gateaux/gateaus
giraffe:giraffes glitch:glitches glossary:glossaries godchild:godchildren goose:geese gooseberry:gooseberries gosling:goslings
grandchild:grandchildren grotto:grottoes/grottos gymnasium:gymnasiums/gymnasia halo:halos/haloes handcuff:handcuffs
handkerchief:handkerchiefs/handkerchieves hanger-on:hangers-on hatch:hatches hedgehog:hedgehogs hippopotamus:hippopotamuses/hippopotami
hobby:hobbies honeybee:honeybees hoof:hooves/hoofs hydrangea:hydrangeas igloo:igloos iris:irises jackknife:jackknives jalopy:jalopies
jelly:jellies jockey:jockeys kangaroo:kangaroos kettle:kettles kidney:kidneys kimono:kimonos ladle:ladles ladybird:ladybirds
larva:larvae/larvas lash:lashes latch:latches lay-by:lay-bys leech:leeches lens:lenses lily:lilies loaf:loaves locus:loci
lollipop:lollipops louse:lice lullaby:lullabies mailbox:mailboxes mango:mangoes/mangos manifesto:manifestos/manifestoes
mantelpiece:mantelpieces marsh:marshes matrix:matrices/matrixes mattress:mattresses meatloaf:meatloaves medium:media/mediums
memento:mementos/mementoes memorandum:memoranda/memorandums mermaid:mermaids merman:mermen merry-go-round:merry-go-rounds
metamorphosis:metamorphoses midwife:midwives minnow:minnows mongoose:mongooses mosquito:mosquitoes/mosquitos moth:moths
mother-in-law:mothers-in-law mummy:mummies nebula:nebulae/nebulas nightingale:nightingales oasis:oases oboe:oboes
octopus:octopuses/octopi/octopodes omelette:omelettes ostrich:ostriches ovum:ova ox:oxen oyster:oysters paintbox:paintboxes
paintbrush:paintbrushes pansy:pansies parenthesis:parentheses passer-by:passers-by pastry:pastries peach:peaches peacock:peacocks
pebble:pebbles penknife:penknives pharynx:pharynges/pharynxes photocopy:photocopies piccolo:piccolos pickaxe:pickaxes pigsty:pigsties
pinch:pinches pocketknife:pocketknives poppy:poppies portmanteau:portmanteaus/portmanteaux potato:potatoes
proboscis:proboscises/proboscides puffin:puffins puppy:puppies quarry:quarries quiche:quiches quince:quinces quiz:quizzes
radish:radishes raspberry:raspberries rhino:rhinos ruby:rubies runner-up:runners-up sandcastle:sandcastles sandwich:sandwiches
sarcophagus:sarcophagi/sarcophaguses scarf:scarves/scarfs schoolchild:schoolchildren sheaf:sheaves sister-in-law:sisters-in-law
skunk:skunks snowflake:snowflakes snowman:snowmen son-in-law:sons-in-law spoonful:spoonfuls/spoonsful squirrel:squirrels
stepchild:stepchildren stimulus:stimuli stitch:stitches stratum:strata/stratums strawberry:strawberries syllabus:syllabi/syllabuses
synopsis:synopses tableau:tableaux/tableaus teaspoon:teaspoons thesaurus:thesauruses/thesauri thief:thieves thrush:thrushes
titmouse:titmice tomato:tomatoes toolbox:toolboxes toothbrush:toothbrushes torpedo:torpedoes tortoise:tortoises trellis:trellises
trolley:trolleys trousseau:trousseaux/trousseaus turkey:turkeys ultimatum:ultimatums/ultimata umbrella:umbrellas
vertebra:vertebrae/vertebras vertex:vertices/vertexes virtuoso:virtuosos/virtuosi vortex:vortices/vortexes walnut:walnuts
walrus:walruses waltz:waltzes watch:watches werewolf:werewolves wharf:wharves/wharfs wheelbarrow:wheelbarrows witch:witches
woodlouse:woodlice wren:wrens zero:zeros/zeroes
""")

# Animals with a typical length of the body in centimetres (with the tail for birds and fish) and a typical weight in grams.
_ANIMALS = """
ladybird/0.7/0.03 woodlouse/1.2/0.1 earwig/1.3/0.08 wasp/1.5/0.1 bumblebee/2/0.3 hornet/3/0.5 tadpole/3/1 grasshopper/4/3 cockroach/4/4
minnow/7/5 stickleback/5/2 shrew/7/9 slug/8/10 frog/8/40 toad/10/70 newt/10/10 gecko/15/50 tarantula/8/40 scorpion/7/20 crayfish/11/60
wren/10/9 goldfinch/12/16 robin/14/18 sparrow/15/30 nightingale/16/22 starling/21/80 blackbird/25/100 kingfisher/17/38 dormouse/8/20
vole/11/30 mole/14/100 gerbil/12/70 weasel/20/90 stoat/27/250 squirrel/23/400 meerkat/28/800 hedgehog/23/800 puffin/29/500 pigeon/33/330
magpie/45/230 crow/46/500 seagull/60/1000 raven/63/1200 heron/95/1700 stork/110/3500 flamingo/125/3000 goose/85/4000 swan/150/10000
vulture/100/8500 sardine/18/80 anchovy/12/18 herring/28/250 mackerel/36/600 skunk/33/3000 mink/40/1000 mongoose/40/2000 lemur/43/2200
armadillo/42/5000 hare/60/4000 sloth/60/5000 fox/70/7000 jackal/80/10000 badger/80/12000 otter/75/9000 wolverine/85/15000
porcupine/75/15000 beaver/90/20000 lynx/100/22000 dingo/110/16000 gazelle/110/28000 kangaroo/140/60000 hyena/135/60000
aardvark/130/60000 warthog/130/85000 panda/165/105000 seal/165/95000 porpoise/160/58000 emu/165/40000 ostrich/210/115000
tapir/200/240000 zebra/230/340000 okapi/215/270000 dolphin/250/220000 yak/280/600000 bison/310/800000 rhinoceros/370/2100000
narwhal/440/1200000 beluga_whale/450/1300000 basking_shark/750/4600000 minke_whale/820/7500000 fin_whale/2000/48000000
"""
ANIMALS = {
    name.replace("_", " "): (float(length), float(weight)) for name, length, weight in (entry.split("/") for entry in listed(_ANIMALS))
}

# Animals that are nothing else, for lists of things of several kinds; the animals above but for a few homonyms come on top.
MORE_ANIMALS = listed("""
aardwolf antelope armadillo axolotl barracuda bison bullfrog buzzard caterpillar centipede chameleon cobra condor cormorant cricket
cuckoo dragonfly eel falcon gibbon gnat haddock hamster herring hyena iguana impala jackdaw kookaburra leech lemming lobster macaque
marmot mayfly millipede moth muskrat nightjar ocelot osprey panther partridge peacock pheasant piranha platypus polecat puma python
quail rattlesnake salamander seahorse sparrowhawk stingray termite tern thrush toucan viper vole wasp weevil woodpecker yak
""")

OTHER_THINGS = listed("""
accordion acorn airport almond anorak anvil apron armchair armour attic avalanche baker balcony ballet bamboo banjo barber barley barrel
basket bedroom bicycle biscuit blanket blizzard bookcase bottle bowtie bracelet bridge broccoli broom bucket bungalow butcher cabinet
cactus candle canoe caravan cardigan carpenter carpet castle cathedral cauliflower cello ceiling chapel chemist chess chisel cinnamon
clarinet clerk clock cloud coconut courgette cottage cradle crown cucumber cupboard curtain daffodil dagger dancer diary doorbell drill
drizzle dumpling farmhouse fence ferry fiddle fireplace fleece flute football fridge fountain garlic ginger glacier gown grater guitar
hail hammer hammock harp hockey hurricane icicle judge kayak kettle kilt kimono ladder lantern lawyer leek lettuce lighthouse lightning
lorry magazine maple marble meadow melon mirror mitten moped motorbike mountain mushroom napkin necklace needle notebook nutmeg oak oboe
oven padlock painter palace paprika parachute pencil piano pillow pilot plumber pliers porridge postcard pyramid quilt rainbow raincoat
river rocket rope rucksack rugby sandals saucepan saxophone scissors scooter screwdriver shovel sofa spanner spinach spoon submarine
suitcase surgeon sword tailor teapot telescope tennis theatre thermos thunder toaster trombone trumpet tulip tunnel turnip umbrella van
vase veil violin waistcoat wardrobe waterfall willow windmill wrench yacht
""")

# Separate things to count: no pairs, no sets, nothing measured by weight or volume, none of them in the official sentences.
COUNTED = listed("""
anchor:anchors balloon:balloons basket:baskets bell:bells bicycle:bicycles blanket:blankets book:books bottle:bottles bracelet:bracelets
brick:bricks broom:brooms brush:brushes bucket:buckets button:buttons camera:cameras candle:candles coin:coins comb:combs
cushion:cushions dagger:daggers dictionary:dictionaries doll:dolls egg:eggs envelope:envelopes fork:forks globe:globes hammer:hammers
hat:hats helmet:helmets jug:jugs kettle:kettles key:keys kite:kites knife:knives ladder:ladders lantern:lanterns leaf:leaves loaf:loaves
magnet:magnets marble:marbles mirror:mirrors mug:mugs needle:needles newspaper:newspapers notebook:notebooks oar:oars octopus:octopuses
ostrich:ostriches padlock:padlocks parcel:parcels pebble:pebbles pencil:pencils penguin:penguins pillow:pillows pineapple:pineapples
plate:plates postcard:postcards pumpkin:pumpkins puppet:puppets radio:radios ribbon:ribbons ring:rings ruler:rulers saucer:saucers
scarf:scarves shelf:shelves shovel:shovels sponge:sponges spoon:spoons stamp:stamps suitcase:suitcases teapot:teapots
telescope:telescopes tent:tents ticket:tickets torch:torches tortoise:tortoises umbrella:umbrellas vase:vases wallet:wallets
watch:watches whistle:whistles zebra:zebras
""")

# Words to unscramble, each with every other English word of the same letters, rare ones included.
UNSCRAMBLE = listed("""
abundant adorable ajar aloe aloft/float amble/blame apricot/parotic attic/tacit avid/diva backward/drawback balmy beetroot
belated/bleated blackboard bleak blister/bristle blizzard boomerang broth/throb bustle/bluest/bluets/sublet/subtle caress/scares
chestnut chuckle churn cinnamon clove clumsy/muscly cobra/carob cod/doc comet corduroy crayon creaky crinkle/clinker crisp/scrip
curtsy/crusty dampen dandelion dangle/angled deceptive defiant/fainted devour dimple/limped dingy/dying dizzy draughty dungarees dwarf
dwindle earring/angrier/rangier/rearing earthworm/heartworm easel/lease edible/belied enchant endearing/grenadine fawn fearless
fidget/gifted fierce finch fir flimsy flippant frail/filar/flair frantic/infarct/infract fretful/truffle frown futile garland geese
giddy gleam glisten/singlet/tingles gong gooseberry gosling groan/agron/argon/orang/organ gullible/bluegill gulp/plug gusty/gutsy halve
haphazard hinder hoarse/ashore hum hyena igloo illegible imp inflate jigsaw jingle jubilant juicy jumble kale/lake/leak kayak/yakka keg
kindle/kilned/linked knot lament/mantel/mantle/mental llama luxurious lynx magenta/magnate magma/gamma magpie marzipan meadow
meander/amender/renamed meek melt mend mingle minty mitten moan/noma mole moth munch newt/went nightingale noose oar/ora oatmeal
obedient obsolete odd offend optimistic orb/bor/bro/rob outlandish overjoyed overlook parsnip pelican/capelin/panicle pickle plausible
plead/paled/pedal plum/lump pomegranate pony pram/ramp prawn pretend primrose/promiser prune puffin pulp quail quaver ragged/dagger
rambling/marbling raspberry raucous raven reckon/conker recline rejoice rhinestone/threonines roam/mora rosemary rugged/grudge/gurged
rumble/lumber saunter/natures scald scamper/campers scarlet/cartels/clarets shallow/hallows shovel/hovels shuffle sip/pis/psi skilful
skimpy slippery sloth smother/mothers/thermos snorkel soften solemn/lemons/melons speckled spontaneous sprout/stupor squirrel steep
stork/torsk stormy strawberry stroll/trolls stutter sultry suspicious sympathetic tadpole tapestry thaw/what thimble thirsty
thistle/lithest thoughtful tiara/atria/riata tiptoe toad/dato tulip turquoise untidy/nudity upbeat vibrant vigilant vigorous
vile/evil/live/veil waddle/dawdle walrus warble/bawler wholesome wig wink wok wrestle/swelter/welters wrinkle yak yelp yew
""")
