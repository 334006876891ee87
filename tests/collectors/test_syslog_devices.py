"""Syslog of devices and daemons: what a line is, and what its message says."""

import pytest

from collectors.formats import syslog
from soc_model.source import Logsource

RECEIVED = 1_772_500_000_000_000


def one(text, **context):
    (group,) = syslog.parse([text.encode()], {"received": RECEIVED, **context}, lambda type_: None)
    return group


@pytest.mark.parametrize(
    ("text", "logsource"),
    [
        ("<189>7: Mar  2 09:20:01: %PARSER-5-CFGLOG_LOGGEDCMD: x", ("cisco", "", "aaa")),
        ("<189>Mar  2 09:20:01 r1 7: %SYS-5-CONFIG_I: x", ("cisco", "", "syslog")),
        ("<166>Mar  2 09:20:01 fw %ASA-6-302013: Built", ("cisco", "firewall", "asa")),
        ("<188>Mar  2 2026 09:20:06 R %%01BGP/3/BGP_AUTH_FAILED(l)[45]:x", ("huawei", "", "bgp")),
        ("<28>Mar  2 09:20:07 mx rpd[2101]: bgp", ("juniper", "", "bgp")),
        ('<189>date=2026-03-02 time=09:20:09 devname="F" logid="1" type="event"', ("fortigate", "", "event")),
        ("<14>Mar  2 09:20:11 pa 1,2026/03/02 09:20:11,001,SYSTEM,general,0", ("paloalto", "", "system")),
        ("<4>Mar  2 09:20:13 gw kernel: x IN=eth0 OUT= SRC=192.0.2.1 DST=192.0.2.2", ("linux", "firewall", "iptables")),
        ("<4>Mar  2 09:20:13 gw kernel: usb 1-1: new device", ("linux", "", "syslog")),
        ("<14>Mar  2 09:20:13 gw app: 100%A-1-B: done", ("linux", "", "syslog")),
        ("<14>Mar  2 09:20:13 gw sysmon: <Event/>", ("linux", "", "sysmon")),
    ],
)
def test_a_line_is_told_by_its_program_or_its_mark(text, logsource):
    product, category, service = logsource
    assert one(text).type.logsource == Logsource(product=product, category=category, service=service)


def test_what_the_source_says_goes_first():
    said = one("<189>7: %SYS-5-CONFIG_I: x", logsource={"product": "cisco", "category": "", "service": "aaa"})
    assert said.type.logsource == Logsource(product="cisco", service="aaa")


def test_a_date_with_a_year_and_the_host_behind_it():
    group = one("<166>Mar 02 2026 09:20:04 fw-1 : %ASA-4-106023: Deny tcp src o:192.0.2.1/5 dst i:192.0.2.2/23 by x")
    assert group.times == [1_772_443_204_000_000] and group.header["host.name"] == ["fw-1"]
    assert group.fields[0]["dst_port"] == "23" and group.fields[0]["blocked"] == "true"
    assert group.header["source.ip"] == ["192.0.2.1"] and group.header["destination.port"] == [23]


def test_a_verdict_of_netfilter_is_its_rules_prefix():
    said = one(
        "<4>Mar  2 09:20:13 gw kernel: ACCEPT-out IN= OUT=eth0 SRC=192.0.2.1 DST=192.0.2.2 PROTO=TCP SPT=1 DPT=2"
    )
    assert (said.fields[0]["action"], said.fields[0]["blocked"]) == ("accept", "false")
    assert (said.fields[0]["src_ip"], said.fields[0]["dst_port"]) == ("192.0.2.1", "2")


def test_sudo_says_who_runs_what():
    said = one("<86>Mar  2 09:20:00 h sudo:  lin : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh -c x ; y").fields[0]
    assert (said["TTY"], said["USER"], said["COMMAND"]) == ("pts/0", "root", "/bin/sh -c x ; y")


@pytest.mark.parametrize("xml", ["<Event><System>", '<!DOCTYPE a [<!ENTITY b "c">]><Event>&b;</Event>', "no xml"])
def test_broken_or_hostile_xml_of_sysmon_is_only_its_text(xml):
    group = one(f"<14>Mar  2 09:20:00 h sysmon: {xml}")
    assert group.fields[0]["message"] == xml and "EventID" not in group.fields[0] and not group.unparsed


def test_the_journals_way_to_write_an_audit_record():
    said = one("<85>Mar  2 09:20:00 h audit[1]: USER_AUTH pid=1 uid=0 msg='op=login acct=\"lin\" res=failed'").fields[0]
    assert (said["type"], said["acct"], said["res"]) == ("USER_AUTH", "lin", "failed")


def test_clamav_names_file_and_signature():
    said = one("<14>Mar  2 09:20:00 h clamd[1]: /srv/a b.php: Php.Webshell-1 FOUND").fields[0]
    assert (said["Filename"], said["Signature"]) == ("/srv/a b.php", "Php.Webshell-1")


def test_fortigate_tells_nanoseconds_or_seconds():
    for stamp in ("1772443209000000000", "1772443209"):
        group = one(f'<189>date=2026-03-02 devname="F" eventtime={stamp} logid="1" type="traffic" srcip=192.0.2.1')
        assert group.times == [1_772_443_209_000_000] and group.header["host.name"] == ["F"]
