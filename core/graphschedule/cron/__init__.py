"""Cron expressions, time zones and fire times, as Kubernetes' CronJob controller takes them.

The controller parses `spec.schedule` with robfig/cron v3.0.1 (`ParseStandard`) and walks it with that library's
`SpecSchedule.Next`. Two rules follow. What the controller takes means here what it means there, or is refused with a
remedy (`@daily`, `TZ=`, `1,,2`, `*-5`). What Unix cron takes beyond that (mission M4) is rewritten into
`Cron.canonical`, which the controller takes.

Written                     Fires                           Why
--------------------------  ------------------------------  ------------------------------------------------------
`0`, `7`, `sun` (weekday)   Sunday                          Unix cron; the controller refuses 7
`5-7`, `fri-sun`            Friday to Sunday                the end 7 is the Sunday that closes the week
`0-7`, `sun-sat`, `1-7`     every weekday, but not a star   see "star" below
`1-7/2`                     Mon, Wed, Fri, Sun              counted from Monday as 1 to Sunday as 7
`7-2`, `sun-tue`            Sunday to Tuesday               a leading 7 is 0
`fri-mon`, `5-1`            Fri, Sat, Sun, Mon              a range whose end is before its start wraps
`22-2`, `nov-feb`, `25-5`   22..2, Nov..Feb, 25..31 1..5    likewise in every field; days wrap after 31
`22-2/2`                    22, 0, 2                        steps count on through the wrap
`*/7` (weekday)             Sunday                          0..6 by 7
`3/2` (weekday)             Wed, Fri                        `n/step` runs to the last value, 6: the controller's rule
`7/2` (weekday)             as `0/2`                        a leading 7 is 0
`?`                         as `*`                          the controller's rule, in any field
`*/1`                       as `*`                          the controller's rule

Star: if day-of-month or weekday is a star (`*`, `?`, `*/1`, or a list with one of these), a day must match both;
if neither is, a day must match one of the two. `*/2` and `0-7` are no stars.

In a clock's gap (the hour that daylight saving skips) a fire is skipped, in a fold (the hour that happens twice) it
happens twice: Kubernetes' native behaviour.
"""

from graphschedule.cron.grammar import MAX_LENGTH, parse
from graphschedule.cron.schedule import Cron
from graphschedule.cron.zones import time_zone

__all__ = ["MAX_LENGTH", "Cron", "parse", "time_zone"]
