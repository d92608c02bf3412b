"""Sentences and frames of sentences of the generated twin tasks, written for them."""

from __future__ import annotations

from twin.words import listed

# past tense | past participle | subjects | objects, each "singular:plural"; "singular" or ":plural" has one number only.
PASSIVE_FRAMES = """
admitted|admitted|judge:judges,curator:curators|mistake:mistakes,error:errors
advised|advised|lawyer:lawyers,tutor:tutors|couple:couples,widow:widows
applauded|applauded|crowd:crowds,critic:critics|pianist:pianists,juggler:jugglers
arranged|arranged|florist:florists,bride:brides|bouquet:bouquets,:lilies
baked|baked|grandfather:grandfathers,villager:villagers|pie:pies,scone:scones
blocked|blocked|lorry:lorries,boulder:boulders|road:roads,tunnel:tunnels
borrowed|borrowed|neighbour:neighbours,cousin:cousins|ladder:ladders,lawnmower
brewed|brewed|monk:monks,innkeeper:innkeepers|beer:beers,ale
bought|bought|collector:collectors,tourist:tourists|painting:paintings,vase:vases
brushed|brushed|groom:grooms,rider:riders|pony:ponies,stallion:stallions
carved|carved|sculptor:sculptors,prisoner:prisoners|statuette:statuettes,:chess pieces
chased|chased|terrier:terriers,constable:constables|cat:cats,burglar:burglars
climbed|climbed|scout:scouts,goat:goats|hill:hills,cliff:cliffs
comforted|comforted|aunt:aunts,chaplain:chaplains|orphan:orphans,patient:patients
composed|composed|organist:organists,nun:nuns|hymn:hymns,waltz:waltzes
copied|copied|scribe:scribes,pupil:pupils|page:pages,poem:poems
counted|counted|cashier:cashiers,treasurer:treasurers|:coins,vote:votes
covered|covered|snow,:leaves|path:paths,roof:roofs
crowned|crowned|bishop:bishops,archbishop:archbishops|king,queen
decorated|decorated|:parents,volunteer:volunteers|hall:halls,cake:cakes
described|described|witness:witnesses,explorer:explorers|accident:accidents,waterfall:waterfalls
discovered|discovered|astronomer:astronomers,student:students|comet:comets,asteroid:asteroids
drained|drained|worker:workers,engineer:engineers|swamp:swamps,canal:canals
drove|driven|chauffeur:chauffeurs,hotel porter:hotel porters|limousine:limousines,minibus:minibuses
dug|dug|labourer:labourers,soldier:soldiers|trench:trenches,well:wells
embraced|embraced|:grandparents,bridegroom:bridegrooms|:grandchildren,bridesmaid:bridesmaids
emptied|emptied|servant:servants,camper:campers|bucket:buckets,bin:bins
escorted|escorted|bodyguard:bodyguards,guard:guards|minister:ministers,ambassador:ambassadors
examined|examined|vet:vets,optician:opticians|puppy:puppies,parrot:parrots
fastened|fastened|climber:climbers,steward:stewards|rope:ropes,buckle:buckles
filmed|filmed|journalist:journalists,naturalist:naturalists|eclipse,wolf:wolves
followed|followed|detective:detectives,spy:spies|suspect:suspects,:footprints
forged|forged|blacksmith:blacksmiths,armourer:armourers|sword:swords,horseshoe:horseshoes
forgave|forgiven|emperor:emperors,widower:widowers|traitor:traitors,rebel:rebels
froze|frozen|cold,chill|pond:ponds,puddle:puddles
grew|grown|allotment holder:allotment holders,nurseryman:nurserymen|pumpkin:pumpkins,:roses
guarded|guarded|sentry:sentries,mastiff:mastiffs|entrance:entrances,warehouse:warehouses
hid|hidden|pirate:pirates,miser:misers|treasure:treasures,chest:chests
hired|hired|director:directors,restaurant owner:restaurant owners|chef:chefs,dishwasher:dishwashers
hunted|hunted|lioness:lionesses,leopard:leopards|antelope:antelopes,gazelle:gazelles
ironed|ironed|butler:butlers,chambermaid:chambermaids|shirt:shirts,tablecloth:tablecloths
judged|judged|expert:experts,panel:panels|marrow:marrows,:dahlias
knitted|knitted|great-aunt:great-aunts,sister:sisters|jumper:jumpers,scarf:scarves
launched|launched|agency:agencies,scientist:scientists|satellite:satellites,probe:probes
loaded|loaded|docker:dockers,stevedore:stevedores|ship:ships,barge:barges
milked|milked|dairymaid:dairymaids,milker:milkers|cow:cows,goat:goats
nursed|nursed|medic:medics,hospital:hospitals|casualty:casualties,wounded officer:wounded officers
overtook|overtaken|cyclist:cyclists,motorcyclist:motorcyclists|bus:buses,jogger:joggers
packed|packed|traveller:travellers,honeymooner:honeymooners|rucksack:rucksacks,trunk:trunks
paved|paved|builder:builders,contractor:contractors|courtyard:courtyards,driveway:driveways
picked|picked|harvester:harvesters,grandmother:grandmothers|:cherries,:strawberries
ploughed|ploughed|peasant:peasants,team of oxen:teams of oxen|field:fields,meadow:meadows
praised|praised|headmaster:headmasters,reviewer:reviewers|essay:essays,novelist:novelists
promoted|promoted|general:generals,admiral:admirals|lieutenant:lieutenants,captain:captains
punished|punished|prefect:prefects,governor:governors|bully:bullies,vandal:vandals
questioned|questioned|inspector:inspectors,prosecutor:prosecutors|bystander:bystanders,cab driver:cab drivers
recorded|recorded|sound engineer:sound engineers,linguist:linguists|interview:interviews,folk song:folk songs
rescued|rescued|lifeguard:lifeguards,helicopter:helicopters|swimmer:swimmers,windsurfer:windsurfers
roasted|roasted|hostess:hostesses,host:hosts|goose:geese,:chestnuts
ruined|ruined|rain,hailstorm:hailstorms|picnic:picnics,crop:crops
scrubbed|scrubbed|cleaner:cleaners,deckhand:deckhands|floor:floors,deck:decks
sewed|sewn|dressmaker:dressmakers,seamstress:seamstresses|gown:gowns,costume:costumes
shook|shaken|earthquake:earthquakes,tremor:tremors|bridge:bridges,chandelier:chandeliers
signed|signed|diplomat:diplomats,chancellor:chancellors|treaty:treaties,agreement:agreements
sketched|sketched|architect:architects,cartoonist:cartoonists|cathedral:cathedrals,skyline
solved|solved|mathematician:mathematicians,sleuth:sleuths|riddle:riddles,puzzle:puzzles
spun|spun|spider:spiders,tarantula:tarantulas|web:webs,thread:threads
stirred|stirred|cook:cooks,kitchen maid:kitchen maids|soup:soups,batter
struck|struck|lightning,thunderbolt:thunderbolts|steeple:steeples,oak:oaks
surrounded|surrounded|:trees,:soldiers|cottage:cottages,monastery:monasteries
trained|trained|coach:coaches,instructor:instructors|gymnast:gymnasts,cadet:cadets
translated|translated|interpreter:interpreters,missionary:missionaries|speech:speeches,psalm:psalms
trapped|trapped|avalanche:avalanches,landslide:landslides|skier:skiers,miner:miners
watered|watered|caretaker:caretakers,schoolgirl:schoolgirls|flowerbed:flowerbeds,fern:ferns
woke|woken|cockerel:cockerels,alarm:alarms|guest:guests,lodger:lodgers
wove|woven|weaver:weavers,craftswoman:craftswomen|carpet:carpets,basket:baskets
"""

STARTS_WITH = """
Seven small boats drifted slowly past the silent harbour.
My brother bought a bright blue bicycle last month.
The tailor took small stitches along the torn sleeve.
Grandmother grows green beans beside the garden gate.
Fresh figs and fried fish were served for lunch.
Peter painted the porch purple before the party.
Our old oven often overheats when it is windy.
A curious cat crept carefully across the kitchen counter.
Nobody noticed the new notice near the north entrance.
Wild winds whipped the waves against the wall.
Lucy left her lunch in the library again.
Two tired travellers asked the guard for directions.
Her husband had hidden the heavy hammer behind the hedge.
Mild mornings make May a favourite of ours.
David drove the dusty van down to the docks.
Rain ruined the roses that Rosa had raised.
Please put the plates on the top shelf.
Every evening an owl hoots in the elm.
Jolly Jack juggled jars for fun.
The kind king kept a kestrel in the kitchen.
Big bells boomed while the choir sang below.
They heard a strange hum in the hotel lobby.
Snow seldom settles so close to the sea.
Carla can cook curry, but her brother burns it.
An angry ant attacked the core of my pear.
The violin teacher visits us every Thursday.
Great green lizards lazed on the garden wall.
Did Dora deliver the papers to the dentist?
Fog filled the valley for four whole days.
Heavy hail spoiled the last harvest here.
Nine nimble nurses played netball on Sunday.
We will wait with you while it rains.
Grey geese glided over the golden fields.
Paul never puts pepper on his pasta.
The last lamp in the long lane went out.
Ten tall trees tower over the tennis court.
Some sailors still steer by the stars.
Maria made marmalade from bitter oranges.
Both brothers broke a bone in the same winter.
Clever crows can crack nuts by dropping them.
Under the umbrella stood an uncle of ours.
Fiona found five feathers on the forest floor.
The red rug really needs a good wash.
Do ducks dislike deep water?
Ivan is ill, so we invited Irene instead.
Noisy neighbours never sleep until midnight.
Her letter lay unopened for a long time.
Quietly the queen questioned the quarrelling twins.
Jars of jelly and juice stood in the larder.
The orchestra opened with an overture by a student.
Warm water washed away the white powder.
Many monks made music in the mountains.
Bring both books here before Friday.
A goat got into the greenhouse and ate the grapes.
Cold coffee tastes terrible to most people.
Stella sold her silver spoons to a stranger.
He hung his hat on the hook and sat down.
Yellow yarn is what you need for this jumper.
Tourists take thousands of pictures of the tower.
Larks and linnets sang loudly over the meadow.
Few farmers forget the flood of that year.
The dry desert air dulled the metal dome.
Prices of petrol and paper are rising rapidly.
Remember to return the rake to Robert.
An early express train leaves at eight.
Most mice move without making a sound.
Kate knows which keys open the kiosk.
The boy with the broken bow borrowed mine.
Six sisters shared one small attic.
Come and collect your coat from the cloakroom.
Dark doors and damp walls depressed the visitors.
In Italy it is impolite to interrupt a toast.
Gloves get lost more often than gowns.
When will the winner walk onto the stage?
Trains to the town were late three times this week.
Violets vanished from the vase overnight.
Harriet hopes her horse will heal by autumn.
Pale pink petals covered the pond.
Our aunt always asks about our exams.
No news is good news, Nora said.
Let Leo lift the logs into the lorry.
Bees buzzed in the blossoming branches.
Fruit flies flew from the full bin.
Most of the money was meant for medicine.
Clouds covered the castle and the cliffs.
Jane and Judith joined a judo class in June.
The ship sank slowly, stern first.
Rough roads rattled the rusty carriage.
Adam added another apricot to the pile.
Each egg had an elegant, even edge of gold.
What could Wendy want with a wagon?
Their tent tore at the top during the storm.
Dinner is done, so do sit down.
Grace gave the guide a generous tip.
Hotels here have large heated pools.
My mother mended the mittens by moonlight.
Birds built a bulky nest below our balcony.
People pay plenty for a place by the park.
Careless clerks cause confusion in every office.
Simon says that the soup tastes of soap.
Of all our options, only one is open.
Few people finished the final puzzle.
Lions lie low in the long grass.
Teachers told us to tidy our tables.
Urgent letters usually arrive on Tuesday.
Next November we need a new navigator.
"""

# A clause and a weaker one that follows from it.
CLAUSES = """
a tall violinist is playing on a bridge at dusk|a violinist is playing on a bridge
two elderly sisters are rowing a green boat across a lake|two sisters are in a boat
the bakery on the corner sells warm rye bread|the bakery sells bread
a grey heron is standing motionless in the reeds|a heron is standing in the reeds
three plumbers are repairing a burst pipe under the sink|some plumbers are repairing a pipe
a boy in pyjamas is feeding crumbs to a robin|a boy is feeding a bird
the mayor is cutting a yellow ribbon outside the new library|the mayor is cutting a ribbon
a tired courier is sleeping on a bench at the station|a courier is sleeping
the orchard behind the chapel has been sold to a brewery|the orchard has been sold
a clown with a huge tuba is marching past the town hall|someone is carrying a tuba past the town hall
four climbers are resting on an icy ledge|some climbers are resting
the silver spoons are hidden under the stairs|the spoons are under the stairs
a grandmother is teaching a toddler to whistle|a grandmother is teaching a child something
the ferry to the island was cancelled because of fog|the ferry was cancelled
an otter is dragging a large trout up the bank|an otter is moving a fish
a welder in a leather apron is mending the gate|a welder is mending something
the choir is rehearsing a slow hymn in the crypt|the choir is rehearsing a hymn
a nurse with a limp is carrying a tray of medicine|a nurse is carrying medicine
the last tram leaves the depot at ten past midnight|the last tram leaves after midnight
two geologists are measuring a crack in the glacier|two scientists are measuring something
a shepherd and a dog are driving sheep through the village|there are sheep in the village
the old lighthouse has been painted bright orange|the lighthouse has been painted
a chess player in a wheelchair is winning the final|a chess player is winning
the goat chewed through the rope and ran into the vineyard|the goat ran into the vineyard
a gardener is burning wet leaves beside the pond|a gardener is burning leaves
a bearded sailor is tattooing an anchor on a wrist|a sailor is tattooing an anchor
the neighbours are arguing loudly about a hedge|the neighbours are arguing
a ballerina has sprained an ankle during the matinee|a dancer is injured
the museum owns a tiny clock made of amber|the museum owns a clock
five ducklings are following their mother across the car park|some ducklings are walking
a potter is glazing a row of blue jugs|a potter is glazing jugs
the printer in the attic has run out of ink and paper|the printer has run out of ink
a referee in muddy boots is arguing with the goalkeeper|a referee is arguing with a player
the cellar was flooded twice in the same month|the cellar was flooded
a florist is loading tulips into a small van|a florist is loading flowers into a van
two acrobats are balancing on a wire above the market|two acrobats are above the market
the judge postponed the hearing until the spring|the hearing was postponed
a beekeeper without gloves is lifting the lid of a hive|a beekeeper is lifting a lid
the sculptor has broken the marble hand by accident|the marble hand is broken
a postman is running from an angry goose|a postman is running
the pharmacy next to the cinema is closed on Mondays|the pharmacy is closed on Mondays
an architect is sketching a windmill from a hot air balloon|an architect is drawing a windmill
a fox has stolen both hens from the convent|a fox has stolen at least one hen
a blind pianist is tuning the piano in the foyer|a pianist is tuning a piano
the harbour is full of jellyfish this week|there are jellyfish in the harbour
a stonemason is carving an owl above the door|a stonemason is carving a bird
the professor lost a suitcase full of fossils at the airport|the professor lost a suitcase
several tourists are photographing a donkey in a straw hat|some tourists are photographing a donkey
the lift stopped between the third and fourth floors|the lift stopped
a waiter dropped a whole tower of glasses in the kitchen|a waiter dropped some glasses
an inspector is weighing a sack of coffee beans|an inspector is weighing a sack
the queen of the carnival arrived on a camel|someone arrived on a camel
a locksmith is opening a rusty safe with a hairpin|a locksmith is opening a safe
the tortoise has eaten three lettuces in the greenhouse|the tortoise has eaten a lettuce
two widowers are dancing a tango in the laundrette|two men are dancing
a carpenter on stilts is nailing boards to the roof|a carpenter is nailing boards to the roof
the astronomer saw a comet before dawn|the astronomer saw a comet
a puppy with one ear is digging under the fence|a dog is digging
the governess speaks Dutch and Portuguese|the governess speaks Portuguese
a diver is freeing a seal from a net|a diver is helping an animal
the town council has banned motorcycles and scooters from the quay|the town council has banned motorcycles from the quay
a cobbler is stitching a pair of red boots|a cobbler is stitching footwear
the opera singer swallowed a fly during the aria|the singer swallowed an insect
a girl with plaits is flying a kite shaped like a whale|a girl is flying a kite
the two rival teams shared a coach to the tournament|two teams travelled in one coach
a magician is sawing a wardrobe in half|a magician is sawing a piece of furniture
the miller ground twelve sacks of barley overnight|the miller ground some barley
a surgeon is knitting a scarf in the canteen|a surgeon is knitting
the comet will be visible from the roof of the school|the comet will be visible
a pensioner is swimming in the frozen canal|someone is swimming in the canal
the actor forgot both monologues on the opening night|the actor forgot a monologue
"""

NAMES = listed("""
Anneke Bruno Carmen Dmitri Elif Farouk Greta Hassan Ingrid Jamila Kenji Lucia Marek Nadia Oskar Priya Quentin Rosa Stefan Tamsin Ulrich
Valeria Wojtek Xenia Yusuf Zelda Bogdan Celeste Dalia Eamon Fatima Gunnar Helga Imran Jolanta Kofi Leila Matteo Noor Orla Pavel Renata
Selim Tuuli Viggo
""")

# subject | base | third person | past | participle | -ing form | the rest of the sentence. In the order of the list, every
# fourth sentence is negative.
TENSE_FRAMES = """
the blacksmith|mend|mends|mended|mended|mending|the iron gate
she|water|waters|watered|watered|watering|the orchids
we|sail|sail|sailed|sailed|sailing|around the headland
my cousins|grow|grow|grew|grown|growing|giant pumpkins
I|write|write|wrote|written|writing|postcards to my niece
the heron|catch|catches|caught|caught|catching|eels
they|dig|dig|dug|dug|digging|a well behind the chapel
he|draw|draws|drew|drawn|drawing|maps of imaginary islands
the apprentices|sweep|sweep|swept|swept|sweeping|the sawmill
you|bake|bake|baked|baked|baking|gingerbread for the fair
the river|flow|flows|flowed|flowed|flowing|through a gorge
Agnes|drive|drives|drove|driven|driving|a milk lorry
the twins|choose|choose|chose|chosen|choosing|the wallpaper
I|carry|carry|carried|carried|carrying|coal up the stairs
the dentist|hum|hums|hummed|hummed|humming|old sea shanties
we|drink|drink|drank|drunk|drinking|nettle tea on the porch
the owl|nest|nests|nested|nested|nesting|in our chimney
she|teach|teaches|taught|taught|teaching|Latin to prisoners
the villagers|build|build|built|built|building|a wooden footbridge
he|fold|folds|folded|folded|folding|paper swans
you|sing|sing|sang|sung|singing|in the cathedral choir
the grocer|weigh|weighs|weighed|weighed|weighing|the walnuts
they|fly|fly|flew|flown|flying|kites above the dunes
Bertram|polish|polishes|polished|polished|polishing|his trombone
the snow|fall|falls|fell|fallen|falling|on the allotments
we|plan|plan|planned|planned|planning|a puppet festival
the goats|eat|eat|ate|eaten|eating|the neighbour's hedge
I|tie|tie|tied|tied|tying|the tomatoes to canes
the tailor|cut|cuts|cut|cut|cutting|velvet for the curtains
she|ride|rides|rode|ridden|riding|a mule along the ridge
the engineers|test|test|tested|tested|testing|the lifeboat
he|hide|hides|hid|hidden|hiding|biscuits in the piano
the parrot|steal|steals|stole|stolen|stealing|shiny buttons
you|paint|paint|painted|painted|painting|the shutters turquoise
the monks|ring|ring|rang|rung|ringing|the tower bell
they|throw|throw|threw|thrown|throwing|pebbles into the quarry
Winifred|speak|speaks|spoke|spoken|speaking|to the beekeepers
the lodger|cook|cooks|cooked|cooked|cooking|lentil stew
I|sew|sew|sewed|sewn|sewing|costumes for the pantomime
the ferry|stop|stops|stopped|stopped|stopping|at the fishing village
we|count|count|counted|counted|counting|the migrating storks
the clerks|type|type|typed|typed|typing|the minutes
she|climb|climbs|climbed|climbed|climbing|the bell tower
my uncle|repair|repairs|repaired|repaired|repairing|cuckoo clocks
they|sell|sell|sold|sold|selling|chestnuts by the canal
the hedgehog|drag|drags|dragged|dragged|dragging|leaves under the shed
you|feed|feed|fed|fed|feeding|the stray kittens
the astronaut|wear|wears|wore|worn|wearing|a silver suit
he|chop|chops|chopped|chopped|chopping|firewood at the cabin
the actors|rehearse|rehearse|rehearsed|rehearsed|rehearsing|the duel scene
the waiter|spill|spills|spilled/spilt|spilled/spilt|spilling|soup on the carpet
we|swim|swim|swam|swum|swimming|across the reservoir
the judge|read|reads|read|read|reading|detective novels
"""
