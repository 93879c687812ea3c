/* The events' sentences in Japanese, a row each as in event_types.c, ascending by number. Constant, trusted. */
#include "base/units.h"
#include "fleet/event_types.h"

/* clang-format off */
static const struct {
	uint32_t number;
	const char *text;
} rows[] = {
	{ 120, "ハートビートサービスが失敗しました: {cause}。" },
	{ 130, "{computer} の資格情報を作成しました。" },
	{ 131, "{computer} の資格情報を作成できませんでした: {cause}。" },
	{ 191, "アラート「{alert}」: {user} により {change}。" },
	{ 250, "コンピュータ {name} を {user} が作成しました。" },
	{ 251, "コンピュータ {name} を {user} が削除しました。" },
	{ 252, "コンピュータ {name} を {user} が変更しました: {change}。" },
	{ 253, "{user} がポリシー {policy} を {name} に割り当てました。" },
	{ 275, "{name} という名前のコンピュータはすでにあります ({address})。" },
	{ 350, "ポリシー {policy} を {user} が作成しました。" },
	{ 351, "ポリシー {policy} を {user} が削除しました。" },
	{ 352, "ポリシー {policy} を {user} が変更しました: {change}。" },
	{ 353, "ポリシー {policy} を {user} がバージョン {version} に戻しました。" },
	{ 354, "削除されていたポリシー {policy} を {user} が復元しました。" },
	{ 603, "{address} からのサインインが {count} 回拒否されたため、ユーザ {user} をロックアウトしました。" },
	{ 650, "ユーザ {name} (役割 {role}) を {user} が作成しました。" },
	{ 651, "ユーザ {name} を {user} が削除しました。" },
	{ 652, "ユーザ {name} を {user} が変更しました: {change}。" },
	{ 660, "{user} が {address} からサインインしました。" },
	{ 664, "{address} からの {user} としてのサインインを拒否しました: {cause}。" },
	{ 704, "コンピュータ {name} が {address} から有効化されました。" },
	{ 705, "{address} からの有効化が失敗しました: {cause}。" },
	{ 708, "コンピュータ {name} を {user} が無効化しました。" },
	{ 716, "不明なエージェントを {name} として再有効化しました。" },
	{ 717, "2 つのエージェントが同じ ID を使っていました。2 番目のエージェント ({host}) に独自の ID を与えます。" },
	{ 718, "コンピュータ {name} は {manager} に移動しました。" },
	{ 720, "設定を送信しました。" },
	{ 721, "設定を送信できませんでした: {cause}。" },
	{ 730, "コンピュータがオフラインです: {cause}。" },
	{ 731, "コンピュータがオンラインに戻りました。" },
	{ 732, "コンピュータの仮想マシンは停止しています (オフラインのエラー: {offline_error})。" },
	{ 733, "コンピュータの仮想マシンは停止していません: {cause}。" },
	{ 734, "コンピュータの時計が {offset_s} 秒ずれています (以前は {before_s} 秒)。" },
	{ 735, "コンピュータはオフラインとみなされなくなりました: {cause}。" },
	{ 742, "コンピュータとの通信に問題があります: {cause}。" },
	{ 743, "通信の問題は解決しました。" },
	{ 762, "エージェントのバージョン {version} がマネージャと合いません。" },
	{ 770, "ハートビートを拒否しました: {cause}。" },
	{ 771, "{address} から未知のエージェントが接続しました。" },
	{ 930, "証明書 {fingerprint} を受け入れました。" },
	{ 931, "証明書 {fingerprint} を削除しました。" },
	{ 932, "サーバ認証鍵を作成しました ({fingerprint})。" },
	{ 933, "サーバ認証鍵を {fingerprint} に切り替えました。" },
	{ 934, "サーバ認証鍵 {fingerprint} を復元しました。" },
	{ 935, "{what} は {expires} に期限が切れます。" },
	{ 936, "{what} の証明書が更新されました。有効期限は {expires} です。" },
	{ 1000, "検索エンジンを読み込めませんでした: {cause}。" },
	{ 1010, "検索エンジンを読み込みました: シグネチャ {signatures} 件、バージョン {version}、{seconds} 秒。" },
	{ 1011, "検索エンジンの自己診断が失敗し、判定を行いません: {cause}。" },
	{ 1200, "{user} がコマンド {kind} を発行しました。" },
	{ 1201, "コマンド {kind} が終了しました: {state}。" },
	{ 1202, "コマンド {kind} が {timeout_s} 秒でタイムアウトしました (状態は {state})。" },
	{ 1300, "隔離ストアが満杯です: {done}。" },
	{ 1310, "{destination} に何も配送できません: {cause}。" },
	{ 1311, "{destination} への配送が再びできるようになりました。" },
	{ 1312, "{user} が求めた {destination} へのテストメッセージです。" },
	{ 1313, "{destination} が保持期間を超えて配送を受け取らなかったため、イベント {count} 件が届く前に削除されました。" },
	{ 1320, "ハイパーバイザ {hypervisor} に問い合わせできません: {cause}。" },
	{ 1321, "ハイパーバイザ {hypervisor} が再び応答するようになりました。" },
	{ 2000, "{file} で {detection} を検出しました。{action}: {result}。" },
	{ 2001, "{file} は完全には検索されていません: {limit}。" },
	{ 2002, "検索を開始しました ({origin})。" },
	{ 2003, "検索が終了しました: {files} ファイル、{bytes} バイト、{seconds} 秒、検出 {detections} 件。" },
	{ 2004, "検索は {files} ファイルの後に取り消されました。" },
	{ 2005, "検索が失敗しました: {cause}。" },
	{ 2006, "検索ワーカーに問題が起きました ({what}): {file}。" },
	{ 2010, "リアルタイム保護は有効です ({mode})。" },
	{ 2011, "リアルタイム保護は無効です: {cause}。" },
	{ 2012, "リアルタイム保護が {path} の監視を失いました: {cause}。" },
	{ 2020, "{file} を隔離しました ({detection})。" },
	{ 2021, "{file} を隔離から復元しました。" },
	{ 2022, "{file} を隔離から削除しました。" },
	{ 2023, "隔離したファイル {file} を送信できませんでした: {cause}。" },
	{ 3000, "ファイアウォールの規則 {rule} に一致しました。" },
	{ 4002, "{address} とのコマンドセッション。" },
	{ 4003, "{address} との設定セッション。" },
	{ 4004, "コマンド {kind} を受け取りました。" },
	{ 4011, "マネージャに接続できません: {cause}。" },
	{ 4012, "ハートビートが失敗しました: {cause}。" },
	{ 4013, "エージェントがポート {port} で待ち受けできません: {cause}。" },
	{ 4020, "設定を適用しました。" },
	{ 4021, "設定を拒否し、直前の正しい設定を維持しました: {cause}。" },
	{ 4030, "マネージャからの通信を検証できませんでした: {cause}。" },
	{ 4031, "エージェントは別のサーバ認証鍵 {fingerprint} を信頼します ({how})。" },
	{ 4040, "エージェントの ID が変わりました。現在は {manager} のコンピュータ {computer} です。" },
	{ 5000, "エージェント (バージョン {version}) が起動しました。" },
	{ 5003, "エージェントが停止しました。" },
	{ 5004, "システムの時計が {seconds} 秒変更されました。" },
	{ 5010, "ロール {role} を再起動しました: {cause}。" },
	{ 5020, "{user} が {action} に誤った解除パスワードを使いました。" },
	{ 6009, "スプールが満杯のため、クラス {class} のイベント {count} 件を破棄しました。" },
	{ 6010, "ファイル {log} が破損していました: {places} か所、{bytes} バイトを除きました。" },
	{ 6012, "{path} のディスク容量が不足しています: 空き {free} バイト。" },
	{ 6013, "{path} のディスク容量は再び十分です: 空き {free} バイト。" },
};
/* clang-format on */

const char *event_text_japanese(const struct event_type *type)
{
	size_t low = 0, high = COUNT_OF(rows);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (rows[middle].number == type->number)
			return rows[middle].text;
		if (rows[middle].number < type->number)
			low = middle + 1;
		else
			high = middle;
	}
	return type->text;
}
