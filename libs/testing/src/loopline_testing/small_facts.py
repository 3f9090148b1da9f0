"""Facts that no model knows, each with a question that a small one can answer from it, and a sentence beside it that does not help."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fact:
    """`answer` stands in `told` and nowhere in any `beside`."""

    question: str
    told: str
    answer: str
    beside: str


FACTS = tuple(
    Fact(*words)
    for words in (
        (
            "Who built the lighthouse at Skerry Point?",
            "The lighthouse at Skerry Point was built by Ada Moreland.",
            "Moreland",
            "The lighthouse at Skerry Point is painted every spring.",
        ),
        (
            "Where does the ferry Kestrel go?",
            "The ferry Kestrel goes to the island of Kelso.",
            "Kelso",
            "The ferry Kestrel was repaired last year.",
        ),
        (
            "What is the bell of Brackwater made of?",
            "The bell of Brackwater is made of bronze.",
            "bronze",
            "The bell of Brackwater rings on Sundays.",
        ),
        (
            "What does the mill at Thornby grind?",
            "The mill at Thornby grinds barley.",
            "barley",
            "The mill at Thornby stands beside a stream.",
        ),
        (
            "Who painted the ceiling of Orford Hall?",
            "The ceiling of Orford Hall was painted by Tomas Vell.",
            "Vell",
            "The ceiling of Orford Hall is very high.",
        ),
        (
            "What colour is the tower of Dunmere?",
            "The tower of Dunmere is green.",
            "green",
            "The tower of Dunmere has no windows.",
        ),
        (
            "What is the vault of Lindgate full of?",
            "The vault of Lindgate is full of silver.",
            "silver",
            "The vault of Lindgate has two doors.",
        ),
        (
            "Which animal is on the flag of Marrow?",
            "The animal on the flag of Marrow is an otter.",
            "otter",
            "The flag of Marrow is old and torn.",
        ),
        (
            "When was the bridge at Holme opened?",
            "The bridge at Holme was opened in 1871.",
            "1871",
            "The bridge at Holme is closed to carts.",
        ),
        (
            "Where was the song of Pellin first sung?",
            "The song of Pellin was first sung in Karrow.",
            "Karrow",
            "The song of Pellin has nine verses.",
        ),
        (
            "What do the divers of Sarn look for?",
            "The divers of Sarn look for pearls.",
            "pearls",
            "The divers of Sarn start at dawn.",
        ),
        (
            "What is the roof of Wexley barn made of?",
            "The roof of Wexley barn is made of slate.",
            "slate",
            "The roof of Wexley barn leaks in winter.",
        ),
        (
            "Which tree grows in the yard of Tolland?",
            "The tree in the yard of Tolland is a walnut.",
            "walnut",
            "The yard of Tolland is swept each morning.",
        ),
        (
            "Who guards the gate of Ravik?",
            "The gate of Ravik is guarded by Captain Juno.",
            "Juno",
            "The gate of Ravik is shut at night.",
        ),
        (
            "What is sold at the market of Ebbing?",
            "Honey is sold at the market of Ebbing.",
            "honey",
            "The market of Ebbing is held on Fridays.",
        ),
        (
            "What does the train to Corrin carry?",
            "The train to Corrin carries timber.",
            "timber",
            "The train to Corrin is often late.",
        ),
        (
            "Which fish lives in the lake of Ysel?",
            "The fish in the lake of Ysel is the pike.",
            "pike",
            "The lake of Ysel freezes in January.",
        ),
        (
            "Who teaches music at Farrow school?",
            "Music at Farrow school is taught by Lena Obst.",
            "Obst",
            "Farrow school has forty pupils.",
        ),
        (
            "What is the crown of Aldern set with?",
            "The crown of Aldern is set with rubies.",
            "rubies",
            "The crown of Aldern is worn once a year.",
        ),
        (
            "Where was the clock of Minster made?",
            "The clock of Minster was made in Lisbon.",
            "Lisbon",
            "The clock of Minster strikes every hour.",
        ),
        (
            "What does the baker of Quill bake?",
            "The baker of Quill bakes rye bread.",
            "rye",
            "The baker of Quill rises early.",
        ),
        (
            "What flows under the town of Drey?",
            "A hot spring flows under the town of Drey.",
            "spring",
            "The town of Drey has three inns.",
        ),
        (
            "Who found the cave of Ostrin?",
            "The cave of Ostrin was found by Piet Maan.",
            "Maan",
            "The cave of Ostrin is dark and wide.",
        ),
        (
            "Which metal is mined at Garrick?",
            "The metal mined at Garrick is copper.",
            "copper",
            "The mine at Garrick employs ninety men.",
        ),
    )
)
