"""SigmaHQ's rules of each product fire on our samples of what that product writes, through the pipeline."""

import zipfile
from pathlib import Path

import pytest

from collectors.cutting import Cutter
from collectors.format import load_format
from detection_rules.library import read_documents
from detection_rules.ruleset import load_rules
from detection_rules.snapshot import Snapshot, compile_snapshot
from soc_center.pipeline import SAMPLE_RECEIVED, process
from soc_model.chunk import Batch, Chunk
from soc_model.layer import Layer
from soc_model.source import Logsource, Source

SAMPLES = Path(__file__).parents[1] / "collectors" / "samples"
#: Sample (and what its source says to be, as product/category/service) -> rule files of which each fires on it.
FIRES = {
    "auditd/raw.log": """lnx_auditd_web_rce lnx_auditd_data_exfil_wget lnx_auditd_disable_system_firewall
        file_event_lnx_susp_cron_file_created net_connection_lnx_back_connect_shell_dev
        net_connection_lnx_susp_malware_callback_port""",
    "auditd/dispatched.log": "lnx_auditd_susp_cmds",
    "syslog/sysmon_linux.log": """proc_creation_lnx_base64_decode net_connection_lnx_susp_malware_callback_port
        file_event_lnx_wget_download_file_in_tmp_dir""",
    "syslog/linux_services.log": """lnx_sudo_exploit_cve_2019_14287 lnx_sshd_exploit_cve_2018_15473
        lnx_cron_crontab_file_modification lnx_clamav_relevant_message av_webshell lnx_syslog_susp_named
        lnx_auth_exploit_cve_2021_4034_pwnkit_lpe lnx_guacamole_susp_guacamole lnx_vsftpd_susp_error_messages
        lnx_syslog_security_tools_disabling_syslog web_nginx_core_dump""",
    "syslog/devices.log": """cisco_cli_disable_logging cisco_bgp_md5_auth_failed cisco_ldp_md5_auth_failed
        cisco_syslog_cve_2023_20198_ios_xe_web_ui
        fortios_sslvpnd_exploit_cve_2022_42475_exploitation_indicators
        huawei_bgp_auth_failed juniper_bgp_missing_md5
        fortinet_fortigate_new_admin_account_created net_firewall_cleartext_protocols""",
    "cloudtrail/delivered.json": """aws_disable_bucket_versioning aws_cloudtrail_bucket_deleted
        aws_delete_saml_provider aws_cloudtrail_console_login_success_without_mfa""",
    "azure/lines.json": """azure_ad_users_added_to_device_admin_roles azure_app_end_user_consent
        azure_aad_secops_ca_policy_removedby_bad_actor azure_login_to_disabled_account azure_ad_signin_axios_user_agent
        azure_app_device_code_authentication azure_ad_only_single_factor_auth_required
        azure_ad_sign_ins_from_unknown_devices azure_identity_protection_anonymous_ip_address
        azure_network_firewall_policy_modified_or_deleted""",
    "azure_activity/listed.json": "azure_subscription_permissions_elevation_via_activitylogs",
    "entra_audit/page.json": "azure_ad_device_registration_policy_changes",
    "entra_signin/lines.json": "azure_user_login_blocked_by_conditional_access azure_ad_azurehound_discovery",
    "entra_risk/lines.json": "azure_identity_protection_leaked_credentials azure_pim_account_stale",
    "gcp_audit/lines.json": """gcp_bucket_modified_or_deleted gcp_access_policy_deleted gcp_gworkspace_govattack
        gcp_gworkspace_application_access_levels_modified gcp_sql_database_modified_or_deleted""",
    "google_workspace/page.json": "gcp_gworkspace_mfa_disabled gcp_gworkspace_suspicious_login",
    "m365/lines.json": """microsoft365_susp_inbox_rule_creation_or_update_activity
        microsoft365_new_federated_domain_added_audit microsoft365_impossible_travel_activity
        microsoft365_new_federated_domain_added_exchange""",
    "okta/lines.json": "okta_user_session_start_via_anonymised_proxy okta_new_behaviours_admin_console",
    "okta/list.json": "okta_api_token_created okta_network_zone_deactivated_or_deleted",
    "onelogin/page.json": "onelogin_assumed_another_user onelogin_user_account_locked",
    "duo/lines.json": "cisco_duo_mfa_bypass_via_bypass_code",
    "github_audit/stream.json": "github_repository_archive_status_changed github_new_org_member",
    "bitbucket_audit/audit.json": """bitbucket_audit_user_login_failure_detected
        bitbucket_audit_full_data_export_triggered""",
    "kubernetes_audit/audit.json": "kubernetes_audit_hostpath_mount kubernetes_audit_secrets_enumeration",
    "suricata_eve/eve.json": """net_dns_susp_telegram_api net_dns_susp_txt_exec_strings proxy_ua_rclone
        web_cve_2021_44228_log4j netflow_cleartext_protocols""",
    "zeek_tsv/http.log": "zeek_http_webdav_put_request web_path_traversal_exploitation_attempt",
    "web_access/combined.log": "web_susp_useragents web_sql_injection_in_access_logs",
    "web_access/common.log": "web_path_traversal_exploitation_attempt",
    "iis_w3c/u_ex260302.log": "web_win_webshells_in_access_logs web_susp_useragents web_source_code_enumeration",
    "nginx_error/error.log": "web_nginx_core_dump",
    "apache_error/error.log": "web_apache_segfault",
    "proxy_w3c/access.log": "proxy_ua_rclone proxy_download_susp_dyndns",
    "proxy_json/lines.json": "proxy_ua_rclone",
    "fortigate/forward.log": "fortinet_fortigate_new_admin_account_created net_firewall_cleartext_protocols",
    "squid/access.log": "proxy_download_susp_dyndns",
    "netflow/lines.json": "netflow_cleartext_protocols",
    "antivirus/findings.json": "av_password_dumper av_hacktool",
    "windows_json/rpcfw_defender.json": "rpc_firewall_dcsync_attack av_password_dumper",
    "opencanary/events.json": "opencanary_ssh_login_attempt",
    "qualys/detections.json": "qualys_default_credentials_usage qualys_host_without_firewall",
    "macos_es/eslogger.json": "proc_creation_macos_base64_decode file_event_macos_susp_startup_item_created",
    "app_log/traces.log django/application/": "appframework_django_exceptions",
    "app_log/traces.log jvm/application/": "java_rce_exploitation_attempt",
    "app_log/traces.log python/application/": "app_python_sql_exceptions",
    "app_log/traces.log sql/application/": "app_sqlinjection_errors",
    "app_log/traces.log velocity/application/": "velocity_ssti_injection",
    "app_log/traces.log ruby_on_rails/application/": "appframework_ruby_on_rails_exceptions",
    "app_log/traces.log nodejs/application/": "nodejs_rce_exploitation_attempt",
    "app_log/traces.log spring/application/": "spring_spel_injection",
    "app_log/traces.log paloalto/appliance/globalprotect":
        "paloalto_globalprotect_exploit_cve_2024_3400_command_injection",
}  # fmt: skip
RULES = {name for names in FIRES.values() for name in names.split()}


@pytest.fixture(scope="module")
def snapshot(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """The rules that are named above, compiled."""
    folder = tmp_path_factory.mktemp("sigma")
    with zipfile.ZipFile(shared / "rules" / "sigma_all_rules.zip") as packed:
        for name in packed.namelist():
            if Path(name).stem in RULES:
                (folder / Path(name).name).write_bytes(packed.read(name))
    assert {path.stem for path in folder.iterdir()} == RULES
    return compile_snapshot(load_rules(read_documents([folder]).documents))


@pytest.mark.parametrize("case", FIRES)
def test_rules_fire_on_what_their_product_writes(case: str, snapshot: Snapshot) -> None:
    assert set(FIRES[case].split()) <= fired(case, snapshot)


def fired(case: str, snapshot: Snapshot) -> set[str]:
    """The file names of the rules that fire on a sample, named as in ``FIRES``."""
    sample, _, said = case.partition(" ")
    form = load_format(sample.partition("/")[0])
    logsource = (
        Logsource(**dict(zip(("product", "category", "service"), said.split("/"), strict=True))) if said else None
    )
    source = Source(
        id="s", name="s", transport="file", format=form.name, layer=Layer.HOST, unit="u", logsource=logsource
    )
    cutter = Cutter(form, {})
    chunks = [
        Chunk(source_id="s", stream="s", received=SAMPLE_RECEIVED, format=form.name, records=part.records,
              context=cutter.context)
        for part in cutter.feed((SAMPLES / sample).read_bytes(), final=True)
    ]  # fmt: skip
    outcome = process(Batch(offset=0, received=SAMPLE_RECEIVED, sources={"s": source}, chunks=chunks), snapshot)
    return {Path(outcome.cards[finding.rule_id].path).stem for finding in outcome.findings}
